import { describe, expect, test } from "bun:test";
import { athleteId, epochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import type { Outcome } from "../../../src/sync/requests/governor.ts";
import { startSync } from "../../../src/sync/start-sync.ts";
import { emptyDb } from "../../support/database.ts";
import { createTestEngine, type TestEngine } from "../../support/engine.ts";
import { openWorld, processOf } from "../../support/worlds.ts";

const at = (hour: number, minute: number) => epochMs(Date.UTC(2025, 10, 17, hour, minute));
const boot = (startMs: number): TestEngine => createTestEngine({ db: emptyDb(), startMs });
/** Of the windows' limits, all that is used. */
const FULL = 100;

/** A request is answered by a Strava whose clock shows `stravaMs`, and which has counted so many in the windows. */
function answer(engine: TestEngine, stravaMs: number, used: number): Promise<Outcome<string>> {
  const counters = { usage: [used, used] } as const;
  const asker = { athleteId: engine.athlete(), phase: "enrichment", syncClass: "manual" } as const;
  return engine.context.governor.request(asker, new AbortController().signal, async () => ({
    ok: true,
    value: "an answer",
    status: 200,
    durationMs: 50,
    dateMs: epochMs(Math.floor(stravaMs / SECOND_MS) * SECOND_MS),
    rate: { overall: { limit: [200, 2_000], ...counters }, read: { limit: [FULL, 1_000], ...counters } },
  }));
}

const holdOf = ({ context }: TestEngine) => context.governor.hold("manual");
const skewMinutes = ({ context }: TestEngine) => Math.round(context.governor.view().skewMs / MINUTE_MS);

describe("a clock that is set back while a window is full", () => {
  test("the window stays full, and its hold ends when it would have", async () => {
    const engine = boot(at(10, 10));
    await answer(engine, at(10, 10), FULL);
    const before = holdOf(engine);
    engine.clock.setBack(30 * MINUTE_MS);
    expect(skewMinutes(engine)).toBe(30);
    expect(holdOf(engine)).toEqual({
      reason: "quota_15min",
      untilMs: epochMs(Number(before?.untilMs) - 30 * MINUTE_MS),
    });
    await engine.monitor.tick();
    expect([skewMinutes(engine), holdOf(engine)?.reason]).toEqual([30, "quota_15min"]);
  });

  test("an answer that comes before the next check tells the same, and it is not counted twice", async () => {
    const engine = boot(at(10, 10));
    await answer(engine, at(10, 10), 10);
    engine.clock.setBack(10 * MINUTE_MS);
    await answer(engine, at(10, 10), FULL);
    for (const _check of [1, 2]) {
      expect([skewMinutes(engine), holdOf(engine)?.reason]).toEqual([10, "quota_15min"]);
      await engine.monitor.tick();
    }
  });

  test("so it is after a restart, also of an idle daemon, to ten minutes", async () => {
    const engine = boot(at(10, 10));
    await answer(engine, at(10, 10), FULL);
    await engine.clock.advance(SECOND_MS);
    engine.clock.setBack(30 * MINUTE_MS);
    const next = engine.rebooted();
    expect(holdOf(next)?.reason).toBe("quota_15min");
    await next.monitor.tick();
    expect([skewMinutes(next), holdOf(next)?.reason]).toEqual([30, "quota_15min"]);
    // Nothing is asked for; what is written for other reasons takes the note along.
    await next.clock.advance(3 * HOUR_MS);
    next.context.commits.now(() => undefined);
    next.clock.setBack(2 * HOUR_MS);
    expect(skewMinutes(next.rebooted())).toBe(150);
  });

  test("a clock that was ahead, was set right and made good is not made good again by the next start", async () => {
    const engine = boot(at(10, 10));
    await answer(engine, at(9, 20), 10);
    expect(skewMinutes(engine)).toBe(-50);
    await engine.clock.advance(0);
    engine.clock.setBack(50 * MINUTE_MS);
    await engine.monitor.tick();
    await answer(engine, engine.clock.nowMs(), FULL);
    await engine.clock.advance(SECOND_MS);
    const next = engine.rebooted();
    for (const _check of [1, 2]) {
      expect([skewMinutes(next), holdOf(next)?.reason]).toEqual([0, "quota_15min"]);
      await next.monitor.tick();
    }
  });

  test("what Strava itself says of its time is believed, also where that is earlier", async () => {
    const engine = boot(at(10, 10));
    await answer(engine, at(12, 10), 10);
    expect(skewMinutes(engine)).toBe(120);
    await answer(engine, at(10, 10), 10);
    expect(skewMinutes(engine)).toBe(0);
  });

  test("a note of a time that is far ahead moves nothing", () => {
    const engine = boot(at(10, 10));
    engine.db.$client.run(
      `INSERT OR REPLACE INTO settings (name, value) VALUES ('governor', '{"skew_ms":0,"strava_ms":1e300}')`,
    );
    expect(skewMinutes(engine.rebooted())).toBe(0);
  });

  test("no request meets a 429, in a whole daemon", () => {
    const world = openWorld({ athletes: [{ activities: 300, races: 180 }] });
    const { context, processor } = processOf(world).parts;
    startSync(context, { athleteId: athleteId(1), syncClass: "manual" }, processor);
    expect(world.runUntil(() => context.governor.hold("manual")?.reason === "quota_15min", 10 * MINUTE_MS)).toBe(true);
    world.machine.setWrong(-30 * MINUTE_MS);
    world.runFor(3 * MINUTE_MS);
    expect(world.strava.ledger().filter(({ status }) => status === 429)).toEqual([]);
  });
});
