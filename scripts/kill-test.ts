/**
 * Kills the real program with SIGKILL at random moments in the middle of discovery and of enrichment, starts it again on
 * the same directory each time, and holds the end against the truth: no race lost, doubled or unlike Strava's, and
 * nothing asked of Strava twice but what a kill cut off.
 *
 *     bun run kill-test [--kills 20] [--athletes 2] [--seed 1] [--binary dist/broomwagon]
 *
 * So many kills in each of the two phases. The seed decides the club and when to strike; what the program is doing at
 * that moment is the machine's affair.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createDaemonClient } from "../src/cli/daemon-client.ts";
import { importBody } from "../src/cli/sandbox-introduction.ts";
import { renderTable } from "../src/cli/table.ts";
import { pause } from "../src/cli/world.ts";
import { systemClock, systemDice } from "../src/clock.ts";
import { seededDice } from "../src/core/dice.ts";
import { SECOND_MS } from "../src/core/units.ts";
import { dataDirectoryPaths } from "../src/db/data-directory.ts";
import { judgeLedger, judgeLoss, type Loss, lossOf } from "./kill-test-ledger.ts";
import { dataFolder, type Program, type ProgramPlace, startProgram } from "./kill-test-program.ts";
import { phaseOf, readAttempts, readRaces, readState, type StoreState } from "./kill-test-store.ts";
import { LATENCY_MS, openWatchedStrava, type WatchedStrava } from "./kill-test-strava.ts";
import { judgeTruth } from "./kill-test-truth.ts";

type Phase = "discovery" | "enrichment";
type Kill = {
  /** Undefined: it met no sync in progress. */
  readonly phase: Phase | undefined;
  /** Since the start of the test. */
  readonly atMs: number;
  /** From the start of the program to its first request; undefined in the first life, which has nothing to take up. */
  readonly firstRequestMs: number | undefined;
  readonly state: StoreState;
  readonly loss: Loss;
};

/** What the dead program had written to its sockets comes in after its death. */
const SETTLE_MS = 25;
const END_LIMIT_MS = 60 * SECOND_MS;
const ADMIN_TOKEN = "kill-test-0123456789abcdef";
/**
 * Answers that a life gets at most before it is struck; and, each third life, for each athlete at least: a batch gives up on
 * itself after five deaths in a row without any progress, which is not what is tested here.
 */
const ANSWERS = { discovery: { most: 4, enough: 2.5 }, enrichment: { most: 16, enough: 12 } };

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    athletes: { type: "string", default: "2" },
    seed: { type: "string", default: String(Math.floor(systemDice() * 1e6)) },
    binary: { type: "string" },
  },
});
const wanted = Number(values.kills);
if (!(Number.isInteger(wanted) && wanted >= 1 && wanted <= 500))
  throw new RangeError("--kills is a number from 1 to 500");
const athletes = Number(values.athletes);
// With more syncs than batches run side by side, one may have no turn in the lives that are long enough to get on.
if (!(Number.isInteger(athletes) && athletes >= 1 && athletes <= 4))
  throw new RangeError("--athletes is a number from 1 to 4");
const dice = seededDice(Number(values.seed));
const folder = mkdtempSync(join(tmpdir(), "broomwagon-kill-test-"));
const { databasePath } = dataDirectoryPaths(dataFolder(folder));
const startMs = systemClock.nowMs();
print(`Seed ${values.seed}: ${wanted} kills in discovery and ${wanted} in enrichment, through ${athletes} syncs.`);
const strava = openWatchedStrava({ seed: Number(values.seed), kills: wanted, athletes });
let program: Program | undefined;
process.once("SIGTERM", () => {
  // Whoever ends the test must not leave its program behind.
  void program?.kill();
  process.exit(1);
});
try {
  mkdirSync(dataFolder(folder), { mode: 0o700 });
  const kills = await run();
  const wrong = [...judge(kills, strava), ...(await end())];
  report(kills, wrong);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await program?.kill().catch(() => {});
  await strava.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Starts a full sync of each athlete, and kills until there were enough in both phases and the syncs have ended. */
async function run(): Promise<Kill[]> {
  const place: ProgramPlace = { command: command(), folder, stravaUrl: strava.url, adminToken: ADMIN_TOKEN };
  const kills: Kill[] = [];
  program = startProgram(place);
  await startSyncs(await program.address());
  let lifeStartMs = systemClock.nowMs();
  let askedBefore = 0;
  const countOf = (phase: Phase) => kills.filter((kill) => kill.phase === phase).length;
  while (countOf("discovery") < wanted || countOf("enrichment") < wanted) {
    const phase = phaseOf(readState(databasePath));
    if (phase === undefined || kills.length > 4 * wanted + 10) break;
    if (countOf(phase) >= wanted) {
      await pause(systemClock, 20);
      continue;
    }
    await strava.answered(0);
    await momentIn(phase, kills.length);
    const killedAtMs = systemClock.nowMs();
    await program.kill();
    await pause(systemClock, SETTLE_MS);
    const state = readState(databasePath);
    const asked = strava.sandbox.ledger().slice(askedBefore);
    const firstRequestMs = kills.length === 0 ? undefined : (asked[0]?.atMs ?? Number.NaN) - lifeStartMs;
    const loss = lossOf({ asked, after: state, killedAtMs, answeredAtMs: strava.answeredAtMs });
    kills.push({ phase: phaseOf(state), atMs: killedAtMs - startMs, firstRequestMs, state, loss });
    askedBefore += asked.length;
    lifeStartMs = systemClock.nowMs();
    program = startProgram(place);
  }
  await untilEnded();
  return kills;
}

function command(): string[] {
  if (values.binary !== undefined) return [resolve(values.binary)];
  return [process.execPath, join(import.meta.dir, "../src/main.ts")];
}

async function startSyncs(address: string): Promise<void> {
  const runtime = { address, pid: 0, token: ADMIN_TOKEN, dataDir: dataFolder(folder) };
  const client = createDaemonClient(runtime, { clock: systemClock, fetch: (request) => fetch(request) });
  for (const athlete of strava.sandbox.athletes()) await client.post("/api/admin/athletes", importBody(athlete));
  await client.post("/api/admin/syncs", { mode: "full" });
}

/** After some answers, and a part of the time that the next one takes. */
async function momentIn(phase: Phase, life: number): Promise<void> {
  const { most, enough } = ANSWERS[phase];
  const answers = life % 3 === 2 ? Math.ceil(enough * athletes) : Math.floor(dice() * most);
  if (answers > 0) await strava.answered(answers);
  await pause(systemClock, Math.ceil(dice() * LATENCY_MS.max));
}

async function untilEnded(): Promise<void> {
  const limitMs = systemClock.nowMs() + END_LIMIT_MS;
  while (phaseOf(readState(databasePath)) !== undefined && systemClock.nowMs() < limitMs) await pause(systemClock, 50);
}

/** Whether the last life ends as it should, too. */
async function end(): Promise<string[]> {
  const stopped = await program?.stop();
  program = undefined;
  return stopped?.exitCode === 0 ? [] : [`SIGTERM ended the last life with ${stopped?.exitCode}`];
}

function judge(kills: readonly Kill[], { sandbox }: WatchedStrava): string[] {
  const { syncs } = readState(databasePath);
  const attempts = readAttempts(databasePath);
  const met = (phase: Phase) => kills.filter((kill) => kill.phase === phase).length;
  return [
    ...(["discovery", "enrichment"] as const)
      .filter((phase) => met(phase) < wanted)
      .map((phase) => `only ${met(phase)} kills met ${phase}`),
    ...judgeTruth(sandbox, readRaces(databasePath), syncs),
    ...judgeLedger(
      sandbox.ledger(),
      kills.map(({ loss }) => loss),
    ),
    ...kills.flatMap(({ loss }, index) => judgeLoss(loss).map((sentence) => `kill ${index + 1}: ${sentence}`)),
    ...(attempts === 0 ? [] : [`${attempts} attempts were spent`]),
  ];
}

function report(kills: readonly Kill[], wrong: readonly string[]): void {
  const header = [
    "kill",
    "after",
    "phase",
    "listed",
    "races",
    "pending",
    "held",
    "in flight",
    "asked again",
    "at work after",
    "in a row",
  ];
  const rows = kills.map(({ phase, atMs, firstRequestMs, state, loss }, index) => [
    String(index + 1),
    `${(atMs / SECOND_MS).toFixed(1)} s`,
    phase ?? "between",
    String(state.syncs.reduce((sum, { activitiesListed }) => sum + activitiesListed, 0)),
    String(state.racesHeld),
    String(state.pendingRaces.size),
    String(state.processing),
    String(loss.inFlight),
    loss.uncommitted === 0 ? "0" : `${loss.uncommitted} (${loss.oldestUncommittedMs} ms)`,
    String(loss.pages.length + loss.details.length),
    firstRequestMs === undefined ? "" : `${firstRequestMs} ms`,
    String(state.deathsInARow),
  ]);
  const requests = strava.sandbox.ledger().length;
  const seconds = ((systemClock.nowMs() - startMs) / SECOND_MS).toFixed(1);
  print(renderTable([header, ...rows]));
  for (const sentence of wrong.slice(0, 30)) print(`WRONG: ${sentence}.`);
  if (wrong.length > 30) print(`and ${wrong.length - 30} more.`);
  const verdict = wrong.length === 0 ? "nothing lost, nothing doubled" : `${wrong.length} differences`;
  print(`${kills.length} kills, ${requests} requests, ${seconds} s, seed ${values.seed}: ${verdict}.`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
