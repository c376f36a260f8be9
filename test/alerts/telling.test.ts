import { describe, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { failSync } from "../../src/sync/end-sync.ts";
import {
  addChannel,
  endTrouble,
  engineThatTells,
  makeTrouble,
  messagesOf,
  minutes,
  saidBy,
  setRules,
  TAKES_ALL,
  troublesOf,
  webhookTo,
} from "../support/alerts.ts";
import { createTestEngine } from "../support/engine.ts";
import { byHand, stepUntil } from "../support/hand.ts";
import { syncOf, syncToEnd } from "../support/syncs.ts";

describe("what is told", () => {
  test("a trouble is told of within a second or two of its commit, once, and so is its end", async () => {
    const engine = engineThatTells();
    makeTrouble(engine);
    await engine.clock.advance(2_000);
    expect(messagesOf(engine)).toMatchObject([{ kind: "alert", outcome: "delivered", troubleId: 1 }]);
    await minutes(engine, 60);
    endTrouble(engine);
    await engine.clock.advance(2_000);
    await minutes(engine, 60);
    expect(saidBy(engine)).toEqual(["alert: A sync failed", "recovery: An athlete's sync completed again"]);
    expect(JSON.parse(messagesOf(engine)[1]?.content ?? "{}").text).toBe(
      "It is over.\nAthlete 1: from 2025-11-17 00:00 to 2025-11-17 01:00 UTC.",
    );
    expect(troublesOf(engine)[0]?.settledAtMs).not.toBeNull();
  });

  test("one that goes on is told of again after the interval of its rule, and no sooner", async () => {
    const engine = engineThatTells();
    setRules(engine, { sync_failed: { resendAfterMs: HOUR_MS } });
    makeTrouble(engine);
    await minutes(engine, 60);
    expect(saidBy(engine)).toEqual(["alert: A sync failed"]);
    await minutes(engine, 2);
    expect(saidBy(engine)).toEqual(["alert: A sync failed", "reminder: Still: A sync failed"]);
    await minutes(engine, 58);
    expect(saidBy(engine)).toHaveLength(2);
  });

  test("at the n-th occurrence: nothing at the second, one alert at the third, none at the fourth", async () => {
    const engine = engineThatTells();
    setRules(engine, { sync_failed: { afterOccurrences: 3 } });
    const counts: number[] = [];
    for (let n = 0; n < 4; n++) {
      makeTrouble(engine);
      await engine.clock.advance(5_000);
      counts.push(messagesOf(engine).length);
    }
    expect(counts).toEqual([0, 0, 1, 1]);
    expect(JSON.parse(messagesOf(engine)[0]?.content ?? "{}").text).toEndWith("(3 times so far.)");
  });

  test("a trouble that flaps is told of once, and its end once it has stayed away", async () => {
    const engine = engineThatTells();
    setRules(engine, { sync_failed: { recoveryAfterMs: 10 * MINUTE_MS } });
    for (let flap = 0; flap < 20; flap++) {
      makeTrouble(engine);
      await minutes(engine, 2);
      endTrouble(engine);
      await minutes(engine, 9);
    }
    expect(saidBy(engine)).toEqual(["alert: A sync failed"]);
    await minutes(engine, 3);
    expect(saidBy(engine)).toHaveLength(2);
    expect(troublesOf(engine)).toMatchObject([{ occurrences: 20 }]);
  });

  test("an end that nobody was told the beginning of is not told either", async () => {
    const engine = engineThatTells();
    setRules(engine, { sync_failed: { afterOccurrences: 2 } });
    makeTrouble(engine);
    await minutes(engine, 2);
    endTrouble(engine);
    await minutes(engine, 2);
    expect(messagesOf(engine)).toEqual([]);
    expect(troublesOf(engine)[0]?.settledAtMs).not.toBeNull();
  });

  test("few of a kind are told apart, many together", async () => {
    const engine = engineThatTells();
    for (const n of [1, 2, 3]) makeTrouble(engine, `athlete:${n}`);
    await engine.clock.advance(2_000);
    expect(saidBy(engine)).toEqual(Array.from({ length: 3 }, () => "alert: A sync failed"));
    for (let n = 10; n < 210; n++) makeTrouble(engine, `athlete:${n}`);
    await engine.clock.advance(2_000);
    expect(saidBy(engine).slice(3)).toEqual(["alert: 200 athletes' syncs failed"]);
    expect(messagesOf(engine)[3]).toMatchObject({ troubleId: null });
    const { text } = JSON.parse(messagesOf(engine)[3]?.content ?? "{}");
    expect(text.split("\n")).toHaveLength(6);
    expect(text).toEndWith("And 195 more.");
    expect(troublesOf(engine).every(({ notifiedAtMs }) => notifiedAtMs !== null)).toBe(true);
  });

  test("without a channel nothing is told, and the first one hears of what is open then", async () => {
    const engine = createTestEngine({ reach: TAKES_ALL });
    makeTrouble(engine, "athlete:1");
    makeTrouble(engine, "athlete:2");
    endTrouble(engine, "athlete:2");
    await minutes(engine, 10);
    expect(messagesOf(engine)).toEqual([]);
    addChannel(engine, webhookTo("https://receiver.test/"));
    await minutes(engine, 1);
    expect(messagesOf(engine)).toMatchObject([{ kind: "alert", troubleId: 1 }]);
  });

  test("what looks like a secret in the words of a trouble is cut out", async () => {
    const engine = engineThatTells();
    const id = engine.start();
    const reason = `The answer held access_token=${"a1".repeat(20)} of somebody@club.test.`;
    engine.commits.now(() => failSync(engine.context, syncOf(engine, id), reason));
    await engine.clock.advance(2_000);
    const { content } = messagesOf(engine)[0] ?? { content: "" };
    expect(content).toContain("[redacted]");
    for (const secret of ["a1a1", "somebody@"]) expect(content).not.toContain(secret);
  });
});

describe("a flapping sync", () => {
  test("ends failed, with one alert, and one recovery note when the athlete's next sync completes", async () => {
    const engine = engineThatTells({
      sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 200 },
    });
    const id = engine.start();
    await stepUntil(
      engine,
      () => engine.db.$client.query("SELECT 1 FROM batches WHERE type = 'enrichment'").get() !== null,
    );
    engine.processor.setClaiming(false);
    for (let flap = 0; flap < 8; flap++) {
      byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
      await minutes(engine, 1);
    }
    await minutes(engine, 180);
    expect(syncOf(engine, id)).toMatchObject({ status: "failed" });
    expect(saidBy(engine)).toEqual(["alert: A sync failed"]);
    const { text } = JSON.parse(messagesOf(engine)[0]?.content ?? "{}");
    expect(text).toContain(`Sync ${id} of athlete 1 failed: It stalled again after every remedy`);
    engine.processor.setClaiming(true);
    await syncToEnd(engine);
    await minutes(engine, 2);
    expect(saidBy(engine)).toEqual(["alert: A sync failed", "recovery: An athlete's sync completed again"]);
  });
});
