import { expect, test } from "bun:test";
import { DAY_MS, epochMs, MINUTE_MS, syncId } from "../../src/core/units.ts";
import { openTrouble, readTroubles, settleTroubles } from "../../src/db/alert-troubles.ts";
import { forgetAthlete } from "../../src/sync/athletes/forget-athlete.ts";
import { importAthlete } from "../../src/sync/athletes/import-athlete.ts";
import { cancelSync, failSync, requireReconnect } from "../../src/sync/end-sync.ts";
import { pruneHistory } from "../../src/sync/prune-history.ts";
import { tellStandingTrouble, tellTroubleOver } from "../../src/sync/trouble.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, stepUntil, tickMinutes } from "../support/hand.ts";
import { stravaIdOf, syncOf, syncToEnd } from "../support/syncs.ts";

const troubles = (engine: TestEngine) => readTroubles(engine.db, {}, Number.MAX_SAFE_INTEGER, 50);
const told = (engine: TestEngine) =>
  troubles(engine).map(
    ({ rule, subject, closedAtMs }) => `${rule} ${subject} ${closedAtMs === null ? "open" : "over"}`,
  );
/** How often the bell has rung. */
const listenTo = ({ context }: TestEngine) => {
  const heard = { rings: 0 };
  context.bell.onRing(() => {
    heard.rings++;
  });
  return heard;
};
const fail = (engine: TestEngine, reason = "A page failed for good.") => {
  const id = engine.start();
  engine.commits.now(() => failSync(engine.context, syncOf(engine, id), reason));
  return id;
};

test("a sync that fails is a trouble of its athlete: each counts, and one that completes ends it", async () => {
  const engine = createTestEngine();
  const heard = listenTo(engine);
  fail(engine);
  const second = fail(engine, "The list failed.");
  expect(troubles(engine)).toMatchObject([
    {
      rule: "sync_failed",
      subject: "athlete:1",
      occurrences: 2,
      message: `Sync ${second} of athlete 1 failed: The list failed.`,
    },
  ]);
  expect(heard.rings).toBe(2);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed" });
  expect(told(engine)).toEqual(["sync_failed athlete:1 over"]);
  expect(heard.rings).toBe(3);
});

test("a sync that has ended already fails no more, and one that a person cancels is no trouble", () => {
  const engine = createTestEngine();
  const sync = syncOf(engine, engine.start());
  engine.commits.now(() => cancelSync(engine.context, sync));
  engine.commits.now(() => failSync(engine.context, sync, "Too late."));
  expect(troubles(engine)).toEqual([]);
});

test("the bell is rung when the trouble is committed, and not when it is undone", () => {
  const engine = createTestEngine();
  const heard = listenTo(engine);
  const id = engine.start();
  const undone = () =>
    engine.commits.now(() => {
      failSync(engine.context, syncOf(engine, id), "A bug.");
      expect(heard.rings).toBe(0);
      throw new Error("undone");
    });
  expect(undone).toThrow("undone");
  expect([heard.rings, troubles(engine)]).toEqual([0, []]);
});

test("an athlete who must connect again is one trouble, not two; connecting again ends it", async () => {
  const engine = createTestEngine();
  engine.start();
  engine.commits.now(() =>
    requireReconnect(engine.context, engine.athlete(), {
      reason: "Strava refused the refresh token.",
      refused: undefined,
    }),
  );
  expect(told(engine)).toEqual(["needs_reconnect athlete:1 open"]);
  const [trouble] = troubles(engine);
  expect(trouble?.message).toContain("http://127.0.0.1:8720/auth/strava?again");
  importAthlete(engine.context, {
    stravaId: stravaIdOf(engine),
    firstName: "Hannah",
    lastName: "Heron",
    accessToken: "a",
    refreshToken: "r",
    expiresAtSeconds: 1_800_000_000,
    scope: "read",
  });
  expect(told(engine)).toEqual(["needs_reconnect athlete:1 over"]);
});

test("with an athlete who is erased goes all that was told of them", () => {
  const engine = createTestEngine();
  fail(engine);
  engine.commits.now(() => requireReconnect(engine.context, engine.athlete(), { reason: "Gone.", refused: undefined }));
  forgetAthlete(engine.context, engine.processor, engine.athlete());
  expect(troubles(engine)).toEqual([]);
});

/** A sync in enrichment whose batches a hand deletes again and again; nothing of it is ever done. */
async function flapping(): Promise<{ engine: TestEngine; flap: () => Promise<void> }> {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 200 },
    health: { maxRemedies: 3 },
  });
  engine.start();
  const isEnriching = () => engine.db.$client.query("SELECT 1 FROM batches WHERE type = 'enrichment'").get() !== null;
  await stepUntil(engine, isEnriching);
  engine.processor.setClaiming(false);
  const flap = async () => {
    byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
    await tickMinutes(engine, 1);
  };
  return { engine, flap };
}

test("a remedy that does not help is told of its sync, each time; past the bound the failure takes its place", async () => {
  const { engine, flap } = await flapping();
  await flap();
  expect(troubles(engine)).toEqual([]);
  await flap();
  expect(troubles(engine)).toMatchObject([{ rule: "stall_not_repaired", subject: "sync:1", occurrences: 1 }]);
  expect(troubles(engine)[0]?.message).toContain("missing_enrichment_batches");
  await flap();
  expect(troubles(engine)).toMatchObject([{ rule: "stall_not_repaired", subject: "sync:1", occurrences: 2 }]);
  await flap();
  expect(troubles(engine)).toMatchObject([
    { rule: "sync_failed", closedAtMs: null, occurrences: 1 },
    { rule: "stall_not_repaired", settledAtMs: engine.clock.nowMs(), occurrences: 3 },
  ]);
});

test("a remedy that helped after all ends it", async () => {
  const { engine, flap } = await flapping();
  await flap();
  await flap();
  // A batch of it has completed since.
  byHand(engine.db, "UPDATE syncs SET batches_completed = batches_completed + 1");
  await tickMinutes(engine, 1);
  expect(syncOf(engine, syncId(1))).toMatchObject({ status: "in_progress" });
  expect(told(engine)).toEqual(["stall_not_repaired sync:1 over"]);
});

test("a state that lasts rings once when it begins, and once when it is over", () => {
  const { context, commits, ...engine } = createTestEngine();
  const heard = listenTo({ context, commits, ...engine });
  const key = { rule: "app_inactive", subject: "application" } as const;
  for (let look = 0; look < 3; look++)
    commits.now(() => tellStandingTrouble(context, { ...key, message: "Inactive." }));
  expect(heard.rings).toBe(1);
  for (let look = 0; look < 3; look++) commits.now(() => tellTroubleOver(context, key));
  expect(heard.rings).toBe(2);
});

test("what is settled is kept as long as history is, and no longer", async () => {
  const { db, clock, context } = createTestEngine();
  const open = (subject: "athlete:1" | "athlete:2") =>
    openTrouble(db, { rule: "sync_failed", subject, message: "x", nowMs: epochMs(1) });
  open("athlete:1");
  open("athlete:2");
  byHand(db, "UPDATE alert_troubles SET closed_at_ms = 1 WHERE id = 1");
  settleTroubles(db, [1], clock.nowMs());
  const left = async () => {
    const pruned = pruneHistory(context, 30 * DAY_MS);
    await clock.advance(1_000);
    await pruned;
    return readTroubles(db, {}, 99, 99).map(({ id }) => id);
  };
  await clock.advance(30 * DAY_MS - MINUTE_MS);
  expect(await left()).toEqual([2, 1]);
  await clock.advance(MINUTE_MS);
  expect(await left()).toEqual([2]);
});
