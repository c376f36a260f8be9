import { describe, expect, test } from "bun:test";
import { describeState } from "../../src/core/status.ts";
import { DAY_MS, epochMs, HOUR_MS, MINUTE_MS, SECOND_MS, type SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { createAbsence } from "../../src/health/absence.ts";
import { readSnapshot } from "../../src/sync/snapshot.ts";
import { createTestEngine, START_MS, type TestEngine } from "../support/engine.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { byHand, stepUntil, tickMinutes } from "../support/hand.ts";
import { syncOf } from "../support/syncs.ts";

const kinds = (engine: TestEngine) =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 50).map((finding) => finding.kind);
const stateOf = (engine: TestEngine, syncId: SyncId) => {
  const sync = syncOf(engine, syncId);
  return describeState(readSnapshot(engine.db, sync), engine.monitor.rules(sync.class));
};
const falseRemedies = (engine: TestEngine) =>
  engine.db.$client.query("SELECT 1 FROM counters WHERE name = 'false_remedies'").all().length;

/** A sync whose requests take half a minute each, in the middle of a phase. */
async function slowly(during: "discovery" | "enrichment"): Promise<{ engine: TestEngine; syncId: SyncId }> {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 1_800, racesEach: 150 } },
    timeoutMs: 10 * MINUTE_MS,
  });
  const syncId = engine.start();
  const isRunning = `SELECT 1 FROM batches WHERE type = '${during}' AND status = 'processing'`;
  const slow = { type: "slow", ms: 30 * SECOND_MS } as const;
  const kind = during === "discovery" ? "list" : "detail";
  engine.sandbox.injectFault({ match: { kind }, times: Number.POSITIVE_INFINITY, action: slow });
  await stepUntil(engine, () => engine.db.$client.query(isRunning).get() !== null, 10 * MINUTE_MS);
  await tickMinutes(engine, 2);
  // A worker that has renewed its lease at least once.
  const isRenewed = "SELECT 1 FROM batches WHERE status = 'processing' AND heartbeat_at_ms > leased_at_ms";
  await stepUntil(engine, () => engine.db.$client.query(isRenewed).get() !== null);
  expect(stateOf(engine, syncId).state).toBe("processing");
  return { engine, syncId };
}

for (const during of ["discovery", "enrichment"] as const) {
  describe(`in ${during}`, () => {
    for (const asleepMs of [
      30 * SECOND_MS,
      41 * SECOND_MS,
      61 * SECOND_MS,
      100 * SECOND_MS,
      20 * MINUTE_MS,
      9 * HOUR_MS,
    ]) {
      test(`a machine that slept ${asleepMs / 1_000} s, its timers with it, finds nothing stalled when it wakes`, async () => {
        const { engine, syncId } = await slowly(during);
        engine.clock.sleep(asleepMs);
        // Asked before anything else has run: the page, and a check that a person starts.
        expect(stateOf(engine, syncId).state).toBe("processing");
        expect((await engine.monitor.check({ dryRun: false })).findings).toEqual([]);
        await tickMinutes(engine, 3);
        expect(kinds(engine)).toEqual([]);
        expect(falseRemedies(engine)).toBe(0);
      });
    }

    test("a clock that jumps ahead by hours, the timers that lay in between firing at once, finds nothing stalled", async () => {
      const { engine, syncId } = await slowly(during);
      engine.clock.jumpTo(engine.clock.nowMs() + 5 * HOUR_MS);
      expect(stateOf(engine, syncId).state).toBe("processing");
      await tickMinutes(engine, 3);
      expect(kinds(engine)).toEqual([]);
    });

    for (const backMs of [5 * SECOND_MS, 10 * MINUTE_MS, 3 * HOUR_MS]) {
      test(`a clock that is set back by ${backMs / 1_000} s finds nothing stalled, and the sync goes on`, async () => {
        const { engine, syncId } = await slowly(during);
        const before = syncOf(engine, syncId).requests;
        engine.clock.setBack(backMs);
        expect(stateOf(engine, syncId).state).toBe("processing");
        expect((await engine.monitor.check({ dryRun: false })).findings).toEqual([]);
        await tickMinutes(engine, 4);
        expect(kinds(engine)).toEqual([]);
        expect(syncOf(engine, syncId).requests).toBeGreaterThan(before);
        expect(falseRemedies(engine)).toBe(0);
      });
    }

    test("a restart after hours takes up what was left, and finds nothing by its age", async () => {
      const { engine } = await slowly(during);
      engine.clock.jumpTo(engine.clock.nowMs() + 7 * HOUR_MS);
      const next = engine.rebooted();
      await next.monitor.tick();
      await tickMinutes(next, 2);
      expect(kinds(next)).toEqual(["left_by_former_process"]);
    });
  });
}

test("a stall from before the clock was set back is found all the same, after its threshold", async () => {
  const engine = createTestEngine({ timeoutMs: 9 * HOUR_MS });
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 40, action: { type: "hang" } });
  engine.start();
  await tickMinutes(engine, 3);
  engine.clock.setBack(6 * HOUR_MS);
  // One period in which age proves nothing, then ten minutes without progress.
  await tickMinutes(engine, 11);
  expect(kinds(engine)).toEqual([]);
  await tickMinutes(engine, 2);
  expect(kinds(engine)).toEqual(["no_progress"]);
});

for (const backMs of [2 * HOUR_MS, 400 * DAY_MS]) {
  describe(`a clock that is set back by ${backMs / HOUR_MS} h`, () => {
    test("while an outage holds everybody: the hold ends when it would have", async () => {
      const engine = createTestEngine();
      engine.sandbox.injectFault({ match: {}, times: 1e6, action: { type: "reset" } });
      const syncId = engine.start();
      await tickMinutes(engine, 3);
      const { appHold } = engine.context.governor.view();
      expect(appHold?.reason).toBe("strava_unavailable");
      const leftMs = (appHold?.untilMs ?? 0) - engine.clock.nowMs();
      engine.sandbox.clearFaults();
      engine.clock.setBack(backMs);
      await tickMinutes(engine, Math.ceil(leftMs / MINUTE_MS) + 2);
      expect(syncOf(engine, syncId).status).toBe("completed");
      expect(kinds(engine)).toEqual([]);
    });

    test("while a refusal holds everybody: that one too", async () => {
      const engine = createTestEngine();
      engine.sandbox.injectFault({ match: {}, action: { type: "status", status: 429, rateHeaders: false } });
      const syncId = engine.start();
      await tickMinutes(engine, 1);
      expect(engine.context.governor.view().appHold?.reason).toBe("quota_15min");
      engine.clock.setBack(backMs);
      await tickMinutes(engine, 17);
      expect(syncOf(engine, syncId).status).toBe("completed");
    });

    test("while events and revocations wait: they are due at once", async () => {
      const engine = createTestEngine();
      waitingUntil(engine, engine.clock.nowMs() + 10 * MINUTE_MS);
      engine.clock.setBack(backMs);
      await tickMinutes(engine, 1);
      expect(waiting(engine)).toEqual({ events: 0, revocations: 0 });
    });

    test("while the daemon is down: holds and waits that would last for longer than they can are over", async () => {
      const before = createTestEngine();
      before.sandbox.injectFault({ match: {}, times: 1e6, action: { type: "reset" } });
      const syncId = before.start();
      await tickMinutes(before, 3);
      before.sandbox.clearFaults();
      waitingUntil(before, before.clock.nowMs() + 10 * MINUTE_MS + 24 * HOUR_MS);
      before.clock.setBack(backMs);
      const engine = before.rebooted();
      await tickMinutes(engine, 5);
      expect(syncOf(engine, syncId).status).toBe("completed");
      expect(waiting(engine)).toEqual({ events: 0, revocations: 0 });
    });
  });
}

/** An event and a revocation that wait, as after failures. */
function waitingUntil({ db }: TestEngine, untilMs: number): void {
  byHand(
    db,
    `INSERT INTO strava_events (received_at_ms, subscription_id, object_type, object_id, aspect, owner_id, event_time_s, run_after_ms, ours)
     VALUES (${START_MS}, 1, 'activity', 77, 'create', 1, 0, ${untilMs}, 1)`,
  );
  byHand(
    db,
    `INSERT INTO revocations (key_id, seal_context, token_sealed, run_after_ms, created_at_ms) VALUES ('k', 'c', 't', ${untilMs}, ${START_MS})`,
  );
}

function waiting({ db, clock }: TestEngine): { events: number; revocations: number } {
  const count = (sql: string) => db.$client.query<{ n: number }, [number]>(sql).get(clock.nowMs())?.n ?? Number.NaN;
  return {
    events: count("SELECT count(*) AS n FROM strava_events WHERE settled_at_ms IS NULL AND run_after_ms > ?1"),
    revocations: count("SELECT count(*) AS n FROM revocations WHERE run_after_ms > ?1"),
  };
}

describe("whether the daemon was away is told by the time between two looks", () => {
  const times = { periodMs: MINUTE_MS, leaseMs: MINUTE_MS, lastLifeMs: epochMs(START_MS) };
  const lookAfter = (passedMs: number) => {
    const clock = new FakeClock(START_MS);
    const lines: string[] = [];
    const warn = (_event: string, message: string) => void lines.push(message);
    const absence = createAbsence(clock, { warn }, times);
    clock.jumpTo(START_MS + 5 * MINUTE_MS);
    absence.look();
    lines.length = 0;
    clock.jumpTo(clock.nowMs() + passedMs);
    const ageProvesNothingForMs = Math.max(0, absence.look() - clock.nowMs());
    return { ageProvesNothingForMs, lines };
  };

  test("a period and two thirds of a lease may pass, and not a millisecond more", () => {
    expect(lookAfter(100 * SECOND_MS).lines).toEqual([]);
    expect(lookAfter(100 * SECOND_MS + 1)).toEqual({
      ageProvesNothingForMs: MINUTE_MS,
      lines: ["Nothing ran for 100 s: verdicts on age wait one period."],
    });
  });

  test("a start that comes before the last sign of life is by a clock that was set back", () => {
    const wentBackMs = (lastLifeMs: number) => {
      const lines: string[] = [];
      const warn = (_event: string, message: string) => void lines.push(message);
      const absence = createAbsence(new FakeClock(START_MS), { warn }, { ...times, lastLifeMs: epochMs(lastLifeMs) });
      return [absence.wentBackMs(), lines.length];
    };
    expect([0, START_MS, START_MS + 90_000].map(wentBackMs)).toEqual([
      [0, 0],
      [0, 0],
      [90_000, 1],
    ]);
  });

  test("a clock that did not move is none, one that went back by a millisecond is", () => {
    expect(lookAfter(0).lines).toEqual([]);
    expect(lookAfter(-1).ageProvesNothingForMs).toBe(MINUTE_MS);
    expect(lookAfter(-90_000).lines).toEqual([
      "The clock was set back by 90 s or more: verdicts on age wait one period.",
    ]);
  });
});
