/**
 * What a health check costs with thousands of syncs in progress, and whether it, or what the API shows, costs more as history grows.
 *
 *     bun run bench-health [--syncs 10000] [--history 1000000] [--rounds 11]
 *
 * The engine, the monitor and the API are those of the daemon, on databases on disk with the real schema; only the clock stands still.
 * Exits with 1 when a bound is broken.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { closeDatabase } from "../src/db/open.ts";
import { createTestApi, type TestApi } from "../test/support/api.ts";
import { type MeasuredCheck, measureCheck } from "./bench-health-check.ts";
import { sizeOfTwoYears } from "./bench-health-measures.ts";
import { prepareClub, withHistory } from "./bench-health-store.ts";

const { values } = parseArgs({
  options: {
    syncs: { type: "string", default: "10000" },
    history: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "11" },
  },
});
const syncs = Number(values.syncs);
const history = Number(values.history);
const rounds = Number(values.rounds);
const SHORT_HISTORY = 1_000;
/** Syncs in progress while the API's pages are timed: a club's own number, so that history would show. */
const SYNCS_SHOWN = 40;
/** Syncs that stall at once. */
const STALLED = Math.min(500, syncs / 2);
/** Calls are timed together, for so long: one alone is too short for the clock, and for a machine with other things to do. */
const TIMED_MS = 25;
const LARGEST_RATIO = 1.2;
/** Syncs a page, as the monitor reads them. */
const PAGE = 50;
const PATHS = ["/api/admin/sync-status", "/api/admin/health", "/api/admin/syncs?limit=50"];

const existing = new Set<string>();
const folder = mkdtempSync(join(tmpdir(), "broomwagon-bench-health-"));
const broken: string[] = [];
try {
  await benchChecks();
  await benchApi();
  measureTwoYears();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const bound of broken) print(`BROKEN: ${bound}`);
process.exit(broken.length === 0 ? 0 : 1);

async function benchChecks(): Promise<void> {
  const [few, many] = openBoth("checks", syncs);
  const half = open("half", Math.max(PAGE, syncs / 2), SHORT_HISTORY);
  const [pageOfHalf] = await checks(half, 1);
  const checksOf: { few: MeasuredCheck[]; many: MeasuredCheck[] } = { few: [], many: [] };
  for (let round = 0; round < rounds; round++) {
    await inTurns(round, async (which) => {
      checksOf[which].push(...(await checks(which === "few" ? few : many, 1)));
    });
  }
  const [first] = checksOf.many;
  if (first === undefined || pageOfHalf === undefined) throw new Error("Nothing was measured");
  const pages = Math.ceil(first.report.checked / PAGE);
  const durationMs = median(checksOf.many.map((check) => check.durationMs));
  const holdMs = median(checksOf.many.map((check) => check.longestHoldMs));
  const perPage = first.statements / pages;
  const perPageOfHalf = pageOfHalf.statements / Math.ceil(pageOfHalf.report.checked / PAGE);
  const liveBatches = count(many, "SELECT count(*) AS count FROM batches WHERE status IN ('pending', 'processing')");
  print(
    `${first.report.checked} syncs in progress, ${liveBatches} live batches, ${history} ended ones: a health check`,
  );
  print(`  takes ${durationMs.toFixed(0)} ms (${((durationMs / first.report.checked) * 1000).toFixed(0)} µs a sync)`);
  print(
    `  runs ${perPage.toFixed(2)} statements a page of ${PAGE} syncs; with half as many syncs ${perPageOfHalf.toFixed(2)}`,
  );
  print(
    `  reads ${first.rows} rows: one a live batch, and ${((first.rows - liveBatches) / first.report.checked).toFixed(2)} a sync`,
  );
  print(
    `  holds the event loop for ${holdMs.toFixed(1)} ms at most (${first.mostStatementsATurn} statements); a page takes ${(durationMs / pages).toFixed(1)} ms`,
  );
  hold("statements a page are constant", Math.abs(perPage - perPageOfHalf) < 1);
  hold("rows are one a live batch and a constant a sync", first.rows - liveBatches <= 4 * first.report.checked);
  // In statements, and not in time: the machine may have other things to do. A check's first turn reads what is open, too.
  hold("the event loop is held for no more than a page", first.mostStatementsATurn <= 4 * Math.ceil(perPage));
  hold("nothing is found", first.report.findings.length === 0);
  const ratio = ratioOf(
    checksOf.few.map((check) => check.cpuMs),
    checksOf.many.map((check) => check.cpuMs),
  );
  print(`  costs ${ratio.toFixed(2)} times what it costs with ${SHORT_HISTORY} ended batches`);
  hold("a check does not grow with history", ratio <= LARGEST_RATIO);
  await benchHealing(half);
  for (const opened of [few, many, half]) closeDatabase(opened.engine.db);
}

/** Many syncs stall at once, as after a mishap with the database. */
async function benchHealing(opened: TestApi): Promise<void> {
  opened.engine.db.$client.run(`DELETE FROM batches WHERE sync_id <= ${STALLED} AND status = 'pending'`);
  const [check] = await checks(opened, 1);
  if (check === undefined) throw new Error("Nothing was measured");
  const { report, durationMs, longestHoldMs } = check;
  print(
    `${report.findings.length} of them stalled at once: all are remedied in ${durationMs.toFixed(0)} ms, the event loop held for ${longestHoldMs.toFixed(1)} ms at most`,
  );
  hold(
    "every stalled sync is found and remedied",
    report.findings.filter((found) => found.outcome === "pending").length === STALLED,
  );
}

async function benchApi(): Promise<void> {
  const [few, many] = openBoth("api", SYNCS_SHOWN);
  for (const path of PATHS) {
    const times: { few: number[]; many: number[] } = { few: [], many: [] };
    const calls = Math.max(1, Math.ceil(TIMED_MS / (await timeCalls(few, path, 20))));
    for (let round = 0; round < 2 * rounds; round++) {
      await inTurns(round, async (which) => {
        times[which].push(await timeCalls(which === "few" ? few : many, path, calls));
      });
    }
    const [fewMs, manyMs] = [median(times.few), median(times.many)];
    const ratio = ratioOf(times.few, times.many);
    print(
      `GET ${path}: ${fewMs.toFixed(2)} ms at ${SHORT_HISTORY} ended batches, ${manyMs.toFixed(2)} ms at ${history}: ratio ${ratio.toFixed(2)}`,
    );
    hold(`${path} does not grow with history`, ratio <= LARGEST_RATIO);
  }
  for (const opened of [few, many]) closeDatabase(opened.engine.db);
}

/** Two years of measures, in bytes. */
function measureTwoYears(): void {
  for (const [stalls, stallsADay] of [
    ["a stall a month", 1 / 30],
    ["a stall every third day", 1 / 3],
  ] as const) {
    const alone = sizeOfTwoYears({ stallsADay, daily: false, seed: 1 });
    const all = sizeOfTwoYears({ stallsADay, daily: true, seed: 1 });
    print(
      `Two years with ${stalls}: healing ${kB(alone.packed)}, with all that is counted ${kB(all.packed)}; the last month, in rows, ${kB(all.lastMonth)}, sums since ever ${kB(all.sums)}`,
    );
    hold("two years of healing are a few kB", alone.packed <= 6_000);
  }
}

function kB(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}

/** The same club twice: with little history, and with much. */
function openBoth(name: string, syncsInProgress: number): [TestApi, TestApi] {
  return [open(name, syncsInProgress, SHORT_HISTORY), open(name, syncsInProgress, history)];
}

function open(name: string, syncsInProgress: number, endedBatches: number): TestApi {
  const club = join(folder, `${name}.sqlite`);
  if (!existing.has(club)) prepareClub(club, syncsInProgress);
  existing.add(club);
  const db = withHistory(club, join(folder, `${name}-${endedBatches}.sqlite`), {
    syncs: syncsInProgress,
    endedBatches,
  });
  const opened = createTestApi({ db, started: false });
  // What is measured is looking; nothing is to be claimed meanwhile.
  opened.engine.processor.setClaiming(false);
  return opened;
}

async function checks({ engine }: TestApi, times: number): Promise<MeasuredCheck[]> {
  const measured: MeasuredCheck[] = [];
  for (let n = 0; n < times; n++) measured.push(await measureCheck(engine));
  return measured;
}

/** Both, side by side; which of them is first changes with each round. */
async function inTurns(round: number, measure: (which: "few" | "many") => Promise<void>): Promise<void> {
  for (const which of round % 2 === 0 ? (["few", "many"] as const) : (["many", "few"] as const)) await measure(which);
}

/** The processor's time, in milliseconds a call: unlike the clock's it does not hang on what else the machine does. */
async function timeCalls(opened: TestApi, path: string, calls: number): Promise<number> {
  const before = process.cpuUsage();
  for (let call = 0; call < calls; call++) {
    const answer = await opened.get(path);
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / calls;
}

function count(opened: TestApi, sql: string): number {
  return opened.engine.db.$client.query<{ count: number }, []>(sql).get()?.count ?? 0;
}

function hold(bound: string, holds: boolean): void {
  if (!holds) broken.push(bound);
}

/** Of the quarter of the rounds that the rest of the machine disturbed least. */
function ratioOf(few: readonly number[], many: readonly number[]): number {
  return quantile(many, 1 / 4) / quantile(few, 1 / 4);
}

function median(numbers: readonly number[]): number {
  return quantile(numbers, 1 / 2);
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
