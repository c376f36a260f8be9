import { expect, test } from "bun:test";
import { describeState } from "../../../src/core/status.ts";
import { MINUTE_MS, type SyncId } from "../../../src/core/units.ts";
import { readFindings } from "../../../src/db/findings.ts";
import { readLedger } from "../../../src/db/quota.ts";
import { readSync } from "../../../src/db/syncs.ts";
import { resumeSync } from "../../../src/sync/pause-sync.ts";
import { readSnapshot } from "../../../src/sync/snapshot.ts";
import { createTestEngine, START_MS, type TestEngine } from "../../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../../support/hand.ts";

const QUARTER_MS = 15 * MINUTE_MS;

function stateOf(engine: TestEngine, syncId: SyncId) {
  const sync = readSync(engine.db, syncId);
  if (sync === undefined) throw new Error("The sync is gone");
  return describeState(readSnapshot(engine.db, sync), engine.monitor.rules(sync.class));
}

function attemptsSpent(engine: TestEngine): number {
  return (
    engine.db.$client.query<{ spent: number }, []>("SELECT sum(attempts) AS spent FROM batches").get()?.spent ?? -1
  );
}

function refusals(engine: TestEngine): number {
  return engine.sandbox.ledger().filter((entry) => entry.status === 429).length;
}

for (const [phase, kind] of [
  ["discovery", "list"],
  ["enrichment", "detail"],
] as const) {
  test(`a 429 in ${phase} is a planned wait: reason and time, no attempt spent, no race touched, and it goes on by itself`, async () => {
    const engine = createTestEngine({
      sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 50 },
    });
    // Another client of the same application has used up the quarter, and we have not heard of it.
    engine.sandbox.injectFault({
      match: { kind, nth: 1 },
      times: 1,
      action: { type: "status", status: 429, rateHeaders: false },
    });
    const syncId = engine.start();
    await stepUntil(engine, () => refusals(engine) === 1);
    await engine.clock.advance(5_000);
    const state = stateOf(engine, syncId);
    expect(state).toMatchObject({ state: "waiting", waiting: { reason: "quota_15min" } });
    const resumesAtMs = state.state === "waiting" ? (state.waiting.resumesAtMs ?? 0) : 0;
    const resetMs = Math.ceil(START_MS / QUARTER_MS) * QUARTER_MS;
    expect(resumesAtMs).toBeGreaterThanOrEqual(resetMs);
    expect(resumesAtMs).toBeLessThanOrEqual(resetMs + 5_000);
    expect(attemptsSpent(engine)).toBe(0);
    expect(countRaces(engine.db, "failed") + countRaces(engine.db, "unavailable")).toBe(0);
    await tickMinutes(engine, 14);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "in_progress" });
    await tickMinutes(engine, 2);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 20 });
    expect(readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
    expect(refusals(engine)).toBe(1);
  });
}

test("I5: no request goes out that the window cannot pay for, so a sync larger than the quota meets no 429", async () => {
  const engine = createTestEngine({
    sandbox: {
      club: { athletes: 3, activitiesEach: 60, racesEach: 50 },
      quota: { read: { quarter: 40, day: 1000 } },
      latencyMs: 30,
    },
  });
  for (let n = 0; n < 3; n++) engine.start(n);
  await tickMinutes(engine, 14);
  expect(engine.sandbox.quota().read.quarter.used).toBe(40);
  await tickMinutes(engine, 60);
  expect(countRaces(engine.db, "enriched")).toBe(150);
  expect(refusals(engine)).toBe(0);
});

test("I12: the ledger equals what Strava counted, by athlete, phase and status", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 60, racesEach: 20 }, latencyMs: 30 },
  });
  engine.sandbox.injectFault({ match: { kind: "detail", nth: 3 }, times: 2, action: { type: "status", status: 500 } });
  engine.sandbox.injectFault({ match: { kind: "list", nth: 2 }, times: 1, action: { type: "html", status: 502 } });
  for (let n = 0; n < 2; n++) engine.start(n);
  await tickMinutes(engine, 5);
  const ours = readLedger(engine.db, 0 as never).filter(
    (line) => line.phase === "discovery" || line.phase === "enrichment",
  );
  const theirs = new Map<string, number>();
  for (const entry of engine.sandbox.ledger()) {
    if (entry.kind !== "list" && entry.kind !== "detail") continue;
    const n = engine.sandbox.athletes().findIndex((athlete) => athlete.stravaId === entry.stravaId) + 1;
    const key = `${n}/${entry.kind === "list" ? "discovery" : "enrichment"}/${entry.status}`;
    theirs.set(key, (theirs.get(key) ?? 0) + 1);
  }
  expect(
    Object.fromEntries(ours.map((line) => [`${line.athleteId}/${line.phase}/${line.status}`, line.requests])),
  ).toEqual(Object.fromEntries(theirs));
  expect(countRaces(engine.db, "enriched")).toBe(40);
});

test("when the day is used up the sync waits until midnight UTC, and nothing is marked", async () => {
  const engine = createTestEngine({
    sandbox: {
      club: { athletes: 1, activitiesEach: 60, racesEach: 30 },
      quota: { read: { quarter: 100, day: 20 } },
      latencyMs: 30,
    },
  });
  const syncId = engine.start();
  await tickMinutes(engine, 20);
  const midnightMs = Date.UTC(2025, 10, 18);
  const state = stateOf(engine, syncId);
  expect(state).toMatchObject({ state: "waiting", waiting: { reason: "quota_daily" } });
  const resumesAtMs = state.state === "waiting" ? (state.waiting.resumesAtMs ?? 0) : 0;
  expect(resumesAtMs - midnightMs).toBeGreaterThanOrEqual(0);
  expect(resumesAtMs - midnightMs).toBeLessThanOrEqual(5_000);
  expect(countRaces(engine.db, "failed")).toBe(0);
  // Nothing needs a tick: the wait ends by its own timer.
  await engine.clock.advance(24 * 3_600_000);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 30 });
  expect(refusals(engine)).toBe(0);
});

test("an inactive application is nobody's fault: everything waits, no athlete is touched, and it goes on when it is active again", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 60, racesEach: 10 }, latencyMs: 30 },
  });
  engine.sandbox.injectFault({
    match: { kind: ["list", "detail"] },
    times: Number.POSITIVE_INFINITY,
    action: { type: "status", status: 403 },
  });
  const syncIds = [engine.start(0), engine.start(1)];
  await tickMinutes(engine, 2);
  for (const syncId of syncIds)
    expect(stateOf(engine, syncId)).toMatchObject({ state: "waiting", waiting: { reason: "app_inactive" } });
  expect(engine.db.$client.query("SELECT DISTINCT status FROM athletes").all()).toEqual([{ status: "connected" }]);
  expect(engine.sandbox.ledger().length).toBeLessThanOrEqual(2);
  engine.sandbox.clearFaults();
  await tickMinutes(engine, 25);
  for (const syncId of syncIds) expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed" });
  expect(attemptsSpent(engine)).toBe(0);
});

test("resuming a sync that waits for an inactive application asks Strava again at once; a full quota stays full", async () => {
  const engine = createTestEngine({ sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 5 } } });
  engine.sandbox.injectFault({ match: { kind: "list" }, times: 1, action: { type: "status", status: 403 } });
  const syncId = engine.start();
  await tickMinutes(engine, 1);
  expect(stateOf(engine, syncId)).toMatchObject({ state: "waiting", waiting: { reason: "app_inactive" } });
  expect(resumeSync(engine.context, syncId, () => engine.processor.wake())).toMatchObject({ madeDue: 1 });
  await engine.clock.advance(2_000);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
  engine.sandbox.injectFault({ match: { kind: "list" }, times: 1, action: { type: "status", status: 429 } });
  const next = engine.start(0, { mode: "full" });
  await engine.clock.advance(1_000);
  resumeSync(engine.context, next, () => engine.processor.wake());
  await engine.clock.advance(1_000);
  expect(stateOf(engine, next)).toMatchObject({ state: "waiting", waiting: { reason: "quota_15min" } });
});

test("requests in flight are bounded with those for tokens counted in", async () => {
  let inFlight = 0;
  let most = 0;
  const engine = createTestEngine({
    sandbox: { club: { athletes: 4, activitiesEach: 60, racesEach: 3 }, latencyMs: 50 },
    requestsInFlight: 2,
    fetch: (sandbox) => async (request) => {
      most = Math.max(most, ++inFlight);
      try {
        return await sandbox.fetch(request);
      } finally {
        inFlight--;
      }
    },
  });
  byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
  for (let n = 0; n < 4; n++) engine.start(n);
  await tickMinutes(engine, 2);
  expect(countRaces(engine.db, "enriched")).toBe(12);
  expect(most).toBe(2);
});
