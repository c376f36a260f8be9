import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importBody, SANDBOX_CLIENT } from "../../src/cli/sandbox-introduction.ts";
import { pause } from "../../src/cli/world.ts";
import { systemClock } from "../../src/clock.ts";
import { type Clock, epochMs, SECOND_MS } from "../../src/core/units.ts";
import { readRuntimeFile } from "../../src/db/runtime-file.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { serveSandbox } from "../../src/sandbox/serve.ts";
import { aDaemon } from "./running-daemon.ts";

/** One test starts the program as it is, which takes its time on a busy machine. */
setDefaultTimeout(30_000);

const MAIN = join(import.meta.dir, "../../src/main.ts");
const RACES = 12;
/** Of them, how many Strava answers before it falls silent. */
const ANSWERED = 5;

let directory: string;
let sandbox: Sandbox;
let strava: { url: string; stop(): Promise<void> };
let child: Bun.Subprocess | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-stop-"));
  sandbox = createSandbox({ clock: systemClock, seed: 5, club: { athletes: [{ activities: 40, races: RACES }] } });
  strava = serveSandbox(sandbox, { port: 0 });
});
afterEach(async () => {
  child?.kill("SIGKILL");
  child = undefined;
  await strava.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The sandbox's address and application, as flags. */
const stravaFlags = (): string[] => [
  `--strava-api-url=${strava.url}/api/v3`,
  `--strava-oauth-url=${strava.url}/oauth`,
  `--strava-client-id=${SANDBOX_CLIENT.id}`,
  `--strava-client-secret=${SANDBOX_CLIENT.secret}`,
];

function rows(sql: string): unknown[] {
  const client = new Database(join(directory, "broomwagon.sqlite"), { readonly: true });
  try {
    return client.query(sql).all();
  } finally {
    client.close();
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (const startMs = systemClock.nowMs(); !holds(); await pause(systemClock, 5)) {
    if (systemClock.nowMs() > startMs + 20 * SECOND_MS) throw new Error("It did not come about within 20 s");
  }
}

type Ask = (path: string, body?: unknown) => Promise<{ status: number }>;

/** Brings a daemon to where some details are committed and the rest hang: the middle of a batch. */
async function intoABatch(post: Ask): Promise<void> {
  const [athlete] = sandbox.athletes();
  if (athlete === undefined) throw new Error("The sandbox has no athlete");
  sandbox.injectFault({ match: { kind: "detail", nth: ANSWERED + 1 }, times: Infinity, action: { type: "hang" } });
  expect((await post("/api/admin/athletes", importBody(athlete))).status).toBe(201);
  expect((await post("/api/admin/athletes/1/sync")).status).toBe(202);
  await until(() => rows("SELECT 1 FROM races WHERE enrichment = 'enriched'").length === ANSWERED);
}

describe("a signal while a batch runs", () => {
  test("ends serve with 0 within ten seconds; the batch is due again, no attempt spent, what was paid for kept", async () => {
    // Ten of its seconds pass in half a real one.
    const clock = hurriedClock(20);
    const daemon = await aDaemon(directory, { args: stravaFlags(), clock });
    await intoABatch(daemon.post);
    const signalMs = clock.nowMs();
    expect(await daemon.end()).toBe(0);
    expect(clock.nowMs() - signalMs).toBeLessThan(10 * SECOND_MS);
    expect(rows("SELECT status, attempts, lease_token, wait_reason FROM batches WHERE type = 'enrichment'")).toEqual([
      { status: "pending", attempts: 0, lease_token: null, wait_reason: null },
    ]);
    expect(rows("SELECT status, phase FROM syncs")).toEqual([{ status: "in_progress", phase: "enrichment" }]);
    expect(rows("SELECT 1 FROM races WHERE enrichment = 'enriched'")).toHaveLength(ANSWERED);

    // Taken up by the next start, which asks only for what is missing.
    sandbox.clearFaults();
    sandbox.clearLedger();
    const next = await aDaemon(directory, { args: stravaFlags(), clock });
    await until(() => rows("SELECT 1 FROM syncs WHERE status = 'completed'").length === 1);
    expect(await next.end()).toBe(0);
    expect(sandbox.ledger().filter(({ kind }) => kind === "detail")).toHaveLength(RACES - ANSWERED);
    expect(rows("SELECT kind FROM findings")).toEqual([]);
  });

  test("a second one ends the program at once", async () => {
    const logPath = join(directory, "daemon.log");
    child = Bun.spawn([process.execPath, MAIN, "serve", ...stravaFlags()], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? "", BROOMWAGON_DATA_DIR: directory, BROOMWAGON_PORT: "0" },
      stdio: ["ignore", Bun.file(logPath), "ignore"],
    });
    await until(() => readRuntimeFile(join(directory, "runtime.json")) !== undefined);
    const { address, token } = readRuntimeFile(join(directory, "runtime.json")) ?? {};
    await intoABatch((path, body = {}) =>
      fetch(`${address}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
    child.kill("SIGTERM");
    await until(() => readFileSync(logPath, "utf8").includes("daemon.stopping"));
    // Within 50 ms it would be taken for an echo of the first.
    await pause(systemClock, 150);
    expect(child.exitCode).toBeNull();
    const signalMs = systemClock.nowMs();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(systemClock.nowMs() - signalMs).toBeLessThan(2 * SECOND_MS);
    // As after a kill: the next start finds the batch as it was left.
    expect(rows("SELECT status, attempts FROM batches WHERE type = 'enrichment'")).toEqual([
      { status: "processing", attempts: 0 },
    ]);
  });
});

/** The machine's clock, so many times as fast. */
function hurriedClock(times: number): Clock {
  const startMs = systemClock.nowMs();
  return {
    nowMs: () => epochMs(startMs + (systemClock.nowMs() - startMs) * times),
    after: (delayMs, work) => systemClock.after(delayMs / times, work),
  };
}
