import { describe, expect, test } from "bun:test";
import type { FindingKind } from "../../src/core/findings.ts";
import type { SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { readSync } from "../../src/db/syncs.ts";
import { createTestEngine, START_MS, type TestEngine, type TestEngineOptions } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";

/** What a hand does to a sync in the middle of things, and the kind of finding that must come of it. */
type Tampering = {
  readonly what: string;
  readonly kind: FindingKind;
  readonly during: "discovery" | "enrichment";
  readonly sql: string;
  /** What else may be found first, because it fits as well. */
  readonly or?: readonly FindingKind[];
  /** The end of the batch in flight mends it before any check. */
  readonly healsItself?: boolean;
};

const LIVE = "status IN ('pending', 'processing')";
const FAR = START_MS + 400 * 24 * 3_600_000;

const TAMPERINGS: readonly Tampering[] = [
  {
    what: "all live batches deleted",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `DELETE FROM batches WHERE ${LIVE}`,
  },
  {
    what: "the live batch marked completed",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE batches SET status = 'completed' WHERE ${LIVE}`,
  },
  {
    what: "the live batch marked failed",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE batches SET status = 'failed' WHERE ${LIVE}`,
  },
  {
    what: "the live batch marked cancelled",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE batches SET status = 'cancelled' WHERE ${LIVE}`,
  },
  {
    what: "all live batches deleted",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `DELETE FROM batches WHERE ${LIVE}`,
  },
  { what: "all batches deleted", kind: "missing_enrichment_batches", during: "enrichment", sql: "DELETE FROM batches" },
  {
    what: "live batches marked completed",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'completed' WHERE ${LIVE}`,
  },
  {
    what: "live batches marked failed",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'failed' WHERE ${LIVE}`,
  },
  {
    what: "everything marked done but the sync",
    kind: "unfinished_completion",
    during: "enrichment",
    sql: `UPDATE races SET enrichment = 'enriched'; UPDATE batches SET status = 'completed', completed_at_ms = 1, lease_token = NULL, lease_expires_at_ms = NULL`,
  },
  {
    what: "the lease set to the past",
    kind: "orphaned_batch",
    during: "discovery",
    sql: "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'",
  },
  {
    what: "the lease set to the past",
    kind: "orphaned_batch",
    during: "enrichment",
    sql: "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'",
  },
  {
    what: "an ended batch turned back to processing, with an old lease",
    kind: "orphaned_batch",
    during: "enrichment",
    sql: "DELETE FROM batches WHERE status = 'processing'; UPDATE batches SET status = 'processing', lease_token = 'hand', lease_expires_at_ms = 1 WHERE type = 'enrichment' AND status = 'completed'",
    or: ["missing_enrichment_batches"],
  },
  {
    what: "the lease emptied",
    kind: "impossible_lease",
    during: "discovery",
    sql: "UPDATE batches SET lease_token = NULL, lease_expires_at_ms = NULL WHERE status = 'processing'",
  },
  {
    what: "the lease emptied",
    kind: "impossible_lease",
    during: "enrichment",
    sql: "UPDATE batches SET lease_token = NULL, lease_expires_at_ms = NULL WHERE status = 'processing'",
  },
  {
    what: "the lease set far ahead",
    kind: "impossible_lease",
    during: "enrichment",
    sql: `UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = ${FAR} WHERE status = 'processing'`,
  },
  {
    what: "a wait without end",
    kind: "far_wait",
    during: "discovery",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${FAR}, lease_token = NULL, lease_expires_at_ms = NULL WHERE ${LIVE}`,
  },
  {
    what: "a wait without end",
    kind: "far_wait",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${FAR}, lease_token = NULL, lease_expires_at_ms = NULL WHERE ${LIVE}`,
  },
  {
    what: "a wait for a time that has passed",
    kind: "waiting_past_reset",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${START_MS + 3 * 3_600_000}, wait_reason = 'quota_15min', waits_until_ms = ${START_MS}, lease_token = NULL, lease_expires_at_ms = NULL WHERE ${LIVE}`,
  },
  {
    what: "a wait without a reason",
    kind: "waiting_past_reset",
    during: "discovery",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${START_MS + 3 * 3_600_000}, lease_token = NULL, lease_expires_at_ms = NULL WHERE ${LIVE}`,
  },
  {
    what: "the sync turned back to discovery, its list long complete",
    kind: "unfinished_completion",
    during: "enrichment",
    sql: `UPDATE syncs SET phase = 'discovery'; DELETE FROM batches WHERE ${LIVE}; UPDATE races SET enrichment = 'enriched'`,
  },
  {
    what: "a wait to the end of integers",
    kind: "far_wait",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = 9223372036854775807, lease_token = NULL, lease_expires_at_ms = NULL WHERE ${LIVE}`,
  },
  {
    what: "attempts and numbers below zero",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: "UPDATE batches SET attempts = -3, number = -number WHERE status = 'pending'",
    healsItself: true,
  },
  {
    what: "a phase that is none",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `UPDATE syncs SET phase = 'bogus'; DELETE FROM batches WHERE ${LIVE}`,
  },
  {
    what: "a phase that is none",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE syncs SET phase = 'bogus'; DELETE FROM batches WHERE ${LIVE}`,
  },
  {
    what: "the sync moved on to enrichment with half a list",
    kind: "stray_batch",
    during: "discovery",
    sql: "UPDATE syncs SET phase = 'enrichment'",
    healsItself: true,
  },
];

/** A sync stopped in the middle of a phase: some work done, one batch in flight. */
async function inTheMiddle(
  during: Tampering["during"],
  options: TestEngineOptions = {},
): Promise<{ engine: TestEngine; syncId: SyncId }> {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 500, racesEach: 50 }, latencyMs: 200 },
    ...options,
  });
  const syncId = engine.start();
  const typeDone = (type: string) =>
    engine.db.$client.query("SELECT 1 FROM batches WHERE type = ?1 AND status = 'completed'").get(type) !== null &&
    engine.db.$client.query("SELECT 1 FROM batches WHERE type = ?1 AND status = 'processing'").get(type) !== null;
  await stepUntil(engine, () => typeDone(during));
  return { engine, syncId };
}

function found(engine: TestEngine): { kind: string; outcome: string; own_restart: number }[] {
  return readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 100).map(({ kind, outcome, ownRestart }) => ({
    kind,
    outcome,
    own_restart: ownRestart,
  }));
}

function expectWhole(engine: TestEngine, syncId: SyncId): void {
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed" });
  expect(countRaces(engine.db, "pending")).toBe(0);
  const held = engine.db.$client
    .query<{ id: number }, []>("SELECT strava_activity_id AS id FROM races ORDER BY id")
    .all().length;
  expect(held).toBe(50);
}

describe("with the daemon up", () => {
  for (const { what, kind, during, sql, or, healsItself } of TAMPERINGS) {
    test(`${during}: ${what} is found as ${kind} and healed within two ticks`, async () => {
      const { engine, syncId } = await inTheMiddle(during);
      byHand(engine.db, sql);
      await tickMinutes(engine, 2);
      const kinds = found(engine).map((finding) => finding.kind);
      expect([kind, ...(or ?? [])].some((expected) => kinds.includes(expected))).toBe(healsItself !== true);
      await tickMinutes(engine, 2);
      expectWhole(engine, syncId);
      expect(found(engine).filter((finding) => finding.outcome !== "verified")).toEqual([]);
    });
  }
});

describe("with the daemon down", () => {
  for (const { what, during, sql } of TAMPERINGS) {
    test(`${during}: ${what} is healed within two ticks of the restart`, async () => {
      const { engine, syncId } = await inTheMiddle(during);
      byHand(engine.db, sql);
      const next = engine.rebooted();
      await tickMinutes(next, 2);
      expectWhole(next, syncId);
      await tickMinutes(next, 1);
      expect(
        found(next).filter((finding) => finding.outcome !== "verified" && finding.outcome !== "superseded"),
      ).toEqual([]);
    });
  }
});

test("no_progress: a run that hangs past the threshold is aborted, and the sync goes on", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment", { timeoutMs: 3 * 3_600_000 });
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 40, action: { type: "hang" } });
  await tickMinutes(engine, 9);
  expect(found(engine)).toEqual([]);
  await tickMinutes(engine, 4);
  expect(found(engine).map(({ kind }) => kind)).toContain("no_progress");
  engine.sandbox.clearFaults();
  await tickMinutes(engine, 13);
  expectWhole(engine, syncId);
});

describe("after a sync has ended", () => {
  /** A completed sync of 50 races. */
  async function completed(): Promise<{ engine: TestEngine; syncId: SyncId }> {
    const { engine, syncId } = await inTheMiddle("enrichment");
    await tickMinutes(engine, 1);
    expectWhole(engine, syncId);
    return { engine, syncId };
  }

  test("unfinished_races: races that a hand turned back to pending are left to a new sync, which is verified", async () => {
    const { engine } = await completed();
    const lists = () => engine.sandbox.ledger().filter((entry) => entry.kind === "list").length;
    const listed = lists();
    byHand(engine.db, "UPDATE races SET enrichment = 'pending', polyline = NULL WHERE id <= 7");
    await tickMinutes(engine, 2);
    expect(countRaces(engine.db, "enriched")).toBe(50);
    expect(found(engine)).toEqual([{ kind: "unfinished_races", outcome: "verified", own_restart: 0 }]);
    expect(lists()).toBe(listed);
  });

  test("unfinished_races: a race that a hand added, and that Strava does not know, ends as unavailable", async () => {
    const { engine } = await completed();
    byHand(engine.db, "INSERT INTO races (athlete_id, strava_activity_id, enrichment) VALUES (1, 999, 'pending')");
    await tickMinutes(engine, 2);
    expect(countRaces(engine.db, "unavailable")).toBe(1);
    expect(countRaces(engine.db, "pending")).toBe(0);
  });

  test("a cancelled sync leaves its pending races to the athlete's next sync: no finding", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `UPDATE syncs SET status = 'cancelled', completed_at_ms = 1 WHERE id = ${syncId}`);
    await tickMinutes(engine, 2);
    expect(found(engine).map(({ kind }) => kind)).toEqual(["stray_batch"]);
    expect(countRaces(engine.db, "pending")).toBeGreaterThan(0);
  });

  test("stray_batch: live batches of a sync that a hand marked completed are cancelled, and its races taken up anew", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `UPDATE syncs SET status = 'completed', completed_at_ms = 1 WHERE id = ${syncId}`);
    await tickMinutes(engine, 3);
    expect(countRaces(engine.db, "enriched")).toBe(50);
    expect(engine.db.$client.query("SELECT 1 FROM batches WHERE status IN ('pending', 'processing')").all()).toEqual(
      [],
    );
    expect(
      found(engine)
        .map(({ kind, outcome }) => [kind, outcome])
        .sort(),
    ).toEqual([
      ["stray_batch", "verified"],
      ["unfinished_races", "verified"],
    ]);
  });

  test("stray_batch: live batches of a sync that a hand deleted are cancelled", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `DELETE FROM syncs WHERE id = ${syncId}`);
    await tickMinutes(engine, 2);
    expect(engine.db.$client.query("SELECT 1 FROM batches WHERE status IN ('pending', 'processing')").all()).toEqual(
      [],
    );
    expect(found(engine).map(({ kind, outcome }) => [kind, outcome])).toEqual([["stray_batch", "superseded"]]);
  });

  test("a race that a hand marked as failed, or put into a state that is none, stops no later sync", async () => {
    const { engine } = await completed();
    byHand(engine.db, "UPDATE races SET enrichment = 'failed' WHERE id = 8");
    byHand(engine.db, "UPDATE races SET enrichment = 'weird' WHERE id = 9");
    const next = engine.start(0, { mode: "full" });
    await tickMinutes(engine, 3);
    expect(readSync(engine.db, next)).toMatchObject({ status: "completed" });
    expect(countRaces(engine.db, "enriched")).toBe(49);
    expect(engine.db.$client.query("SELECT enrichment, enrichment_error FROM races WHERE id = 8").get()).toEqual({
      enrichment: "failed",
      enrichment_error: "no reason was recorded",
    });
  });

  test("states that are none are given one that loses nothing, and the sync goes on or says why it ended", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(
      engine.db,
      "UPDATE races SET enrichment = 'weird' WHERE id = (SELECT max(id) FROM races WHERE enrichment = 'pending')",
    );
    byHand(engine.db, "UPDATE batches SET status = 'bogus' WHERE status = 'pending'");
    await tickMinutes(engine, 3);
    expectWhole(engine, syncId);
    expect(countRaces(engine.db, "enriched")).toBe(50);
    expect(engine.db.$client.query("SELECT count(*) AS n FROM batches WHERE status = 'bogus'").get()).toEqual({ n: 0 });
    byHand(engine.db, `UPDATE syncs SET status = 'bogus', completed_at_ms = NULL WHERE id = ${syncId}`);
    await tickMinutes(engine, 1);
    expect(readSync(engine.db, syncId)).toMatchObject({
      status: "failed",
      error: "A hand in the database ended it. Start a new sync to go on.",
    });
    expect(readSync(engine.db, syncId)?.completedAtMs).not.toBeNull();
  });

  test("what a sync enriched is counted by its races, whatever became of its batches", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, "DELETE FROM batches");
    await tickMinutes(engine, 2);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 50 });
  });
});
