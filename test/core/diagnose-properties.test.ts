import { expect, test } from "bun:test";
import fc from "fast-check";
import { LONGEST_WAIT_MS, type WaitReason } from "../../src/core/batch.ts";
import { type DiagnosisRules, diagnose } from "../../src/core/diagnose.ts";
import type { Finding, Remedy } from "../../src/core/findings.ts";
import type { LiveBatch, SyncSnapshot } from "../../src/core/snapshot.ts";
import { describeState } from "../../src/core/status.ts";
import { batchId, HOUR_MS, leaseToken, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { ahead, NOW, pendingBatch, processingBatch, rulesWith, snapshotWith } from "../support/snapshots.ts";

const RUNS = { numRuns: 400 };
const aroundNow = fc.integer({ min: -30 * HOUR_MS, max: 30 * HOUR_MS }).map(ahead);
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 4 });
const waitReason = fc.constantFrom<WaitReason>(
  "quota_15min",
  "quota_daily",
  "quota_reserve",
  "backoff",
  "strava_unavailable",
);
const type = fc.constantFrom("discovery", "enrichment" as const);
const attempts = fc.integer({ min: -2, max: 6 });

/** A live batch as a hand, a crash, a clock or this daemon may leave one. */
const anyBatch: fc.Arbitrary<LiveBatch> = fc.oneof(
  fc
    .record({
      type,
      attempts,
      createdAtMs: aroundNow,
      runAfterMs: aroundNow,
      waitReason: orNull(waitReason),
      waitsUntilMs: orNull(aroundNow),
    })
    .map((values) => pendingBatch(values)),
  fc
    .record({
      type,
      attempts,
      createdAtMs: aroundNow,
      leaseToken: orNull(fc.constantFrom(leaseToken("a"), leaseToken("b"))),
      leaseExpiresAtMs: orNull(aroundNow),
      leasedAtMs: orNull(aroundNow),
      heartbeatAtMs: orNull(aroundNow),
    })
    .map((values) => processingBatch(values)),
);
const numbered = (batches: readonly LiveBatch[]): LiveBatch[] =>
  batches.map((batch, index) => ({ ...batch, number: index + 1, id: batchId(index + 41) }));

const anySnapshot: fc.Arbitrary<SyncSnapshot> = fc
  .record({
    batches: fc.array(anyBatch, { maxLength: 5 }),
    phase: fc.constantFrom("discovery", "enrichment" as const),
    listComplete: fc.constantFrom(true, false, undefined),
    isPaused: fc.boolean(),
    lastProgressAtMs: aroundNow,
    failure: fc.option(fc.constant("Strava answered 500"), { nil: undefined, freq: 5 }),
    groups: fc.array(
      fc.record({ exhaustedSize: fc.constantFrom(undefined, 1, 7), count: fc.integer({ min: 1, max: 40 }) }),
      { maxLength: 2 },
    ),
    strays: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
    pending: fc.integer({ min: 0, max: 80 }),
  })
  .map(({ batches, phase, listComplete, isPaused, lastProgressAtMs, failure, groups, strays, pending }) =>
    snapshotWith(numbered(batches), {
      isPaused,
      lastProgressAtMs,
      strayRaces: strays === undefined ? undefined : { count: strays, batchId: batchId(7) },
      plan: {
        phase,
        listComplete,
        discoveryFailure: failure,
        unserved: phase === "enrichment" ? groups : [],
        racesPending: pending,
      },
    }),
  );

const anyRules: fc.Arbitrary<DiagnosisRules> = fc
  .record({
    lastClaimAtMs: aroundNow,
    ageProvesNothingUntilMs: aroundNow,
    isClaiming: fc.boolean(),
    isFull: fc.boolean(),
    isHeld: fc.boolean(),
    waitsProveNothing: fc.boolean(),
  })
  .map(({ isHeld, ...values }) =>
    rulesWith({ ...values, hold: isHeld ? { reason: "quota_daily", untilMs: ahead(HOUR_MS) } : undefined }),
  );

test("no finding is without evidence, a sentence, a remedy, and why it is not just waiting", () => {
  fc.assert(
    fc.property(anySnapshot, anyRules, (snapshot, rules) => {
      for (const finding of diagnose(snapshot, rules)) {
        const numbers = Object.values(finding.evidence).filter((value) => typeof value === "number");
        expect(numbers.length).toBeGreaterThan(0);
        for (const number of numbers) expect(Number.isFinite(number)).toBe(true);
        expect(finding.message).toMatch(/^[A-Z0-9].*\.$/);
        expect(finding.message).not.toMatch(/undefined|NaN|null| -\d/);
        expect(finding.whyNotWaiting).toMatch(/\.$/);
        expect(finding.beganAtMs).toBeLessThanOrEqual(NOW);
      }
    }),
    RUNS,
  );
});

test("whatever a sync is like, it is stalled with a finding, or not stalled with an explanation: never silent (I6)", () => {
  fc.assert(
    fc.property(anySnapshot, anyRules, (snapshot, rules) => {
      const state = describeState(snapshot, { healing: "automatic", ...rules });
      expect(state.state === "stalled").toBe(diagnose(snapshot, rules).length > 0);
      expect(state.explanation).toMatch(/^[A-Z0-9].*\.$/);
      expect(state.explanation).not.toMatch(/undefined|NaN|null| -\d/);
    }),
    RUNS,
  );
});

test("a worker with a fresh heartbeat that makes progress is never found, whatever happened before, and whatever its clock did", () => {
  const alive = fc.record({
    leasedMs: fc.integer({ min: 0, max: 9 * HOUR_MS }),
    idleMs: fc.integer({ min: 0, max: 20 * MINUTE_MS }),
    heartbeatMs: fc.integer({ min: 0, max: 20 * SECOND_MS }),
    ageProvesNothingUntilMs: aroundNow,
  });
  fc.assert(
    fc.property(
      alive,
      fc.array(fc.integer({ min: 0, max: 9 * HOUR_MS }), { maxLength: 3 }),
      ({ leasedMs, idleMs, heartbeatMs, ageProvesNothingUntilMs }, dueMs) => {
        const worker = processingBatch({
          leasedAtMs: ahead(-leasedMs),
          heartbeatAtMs: ahead(-heartbeatMs),
          leaseExpiresAtMs: ahead(MINUTE_MS - heartbeatMs),
        });
        const others = dueMs.map((ms) => pendingBatch({ runAfterMs: ahead(-ms), createdAtMs: ahead(-ms) }));
        const snapshot = snapshotWith(numbered([worker, ...others]), { lastProgressAtMs: ahead(-idleMs) });
        expect(diagnose(snapshot, rulesWith({ ageProvesNothingUntilMs, lastClaimAtMs: ahead(-leasedMs) }))).toEqual([]);
      },
    ),
    RUNS,
  );
});

test("a quota wait is never found until its time has come, however long nothing has happened", () => {
  const waits = fc.record({
    reason: fc.constantFrom<WaitReason>("quota_15min", "quota_daily", "quota_reserve"),
    waitMs: fc.integer({ min: 1, max: LONGEST_WAIT_MS }),
    idleMs: fc.integer({ min: 0, max: 24 * HOUR_MS }),
  });
  fc.assert(
    fc.property(waits, anyRules, ({ reason, waitMs, idleMs }, rules) => {
      const batch = pendingBatch({ waitReason: reason, runAfterMs: ahead(waitMs), waitsUntilMs: ahead(waitMs) });
      const snapshot = snapshotWith([batch], { lastProgressAtMs: ahead(-idleMs) });
      expect(diagnose(snapshot, rules)).toEqual([]);
      expect(describeState(snapshot, { healing: "automatic", ...rules }).state).toBe("waiting");
    }),
    RUNS,
  );
});

test("after its remedy a finding is gone, and the remedy has made no other of its kind", () => {
  fc.assert(
    fc.property(anySnapshot, anyRules, (snapshot, rules) => {
      for (const finding of diagnose(snapshot, rules)) {
        if (finding.remedy.do === "wake_processor") continue;
        const after = remedied(snapshot, finding.remedy);
        if (after === undefined) continue;
        const again = diagnose(after, rules).filter((found) => isSame(found, finding));
        expect(again).toEqual([]);
      }
    }),
    RUNS,
  );
});

const isSame = (one: Finding, other: Finding) => one.kind === other.kind && one.batchId === other.batchId;

/** What the remedy leaves, as a model of the statements that it runs; undefined: a sync that has ended. */
function remedied(snapshot: SyncSnapshot, remedy: Remedy): SyncSnapshot | undefined {
  const { liveBatches, plan } = snapshot;
  const due = (ids: readonly number[]) =>
    liveBatches.map(({ id, number, type: itsType, attempts: spent, ...batch }) =>
      ids.includes(id)
        ? { ...pendingBatch({ number, type: itsType, attempts: spent + 1, runAfterMs: NOW }), id }
        : ({ id, number, type: itsType, attempts: spent, ...batch } as LiveBatch),
    );
  const withBatches = (batches: readonly LiveBatch[]): SyncSnapshot => ({
    ...snapshot,
    liveBatches: batches,
    plan: { ...plan, liveBatches: batches.filter((batch) => batch.type === plan.phase).length },
  });
  const made = {
    ...pendingBatch({ type: plan.phase, runAfterMs: NOW, createdAtMs: NOW }),
    number: 99,
    id: batchId(999),
  };
  switch (remedy.do) {
    case "sweep_leases":
    case "make_due":
      return withBatches(due(remedy.batches.map((batch) => batch.batchId)));
    case "abort_run":
      return withBatches(due([remedy.batchId]));
    case "cancel_batches":
      return withBatches(liveBatches.filter((batch) => !remedy.batches.some((other) => other.batchId === batch.id)));
    case "unbind_races":
    case "replan": {
      // The plan goes on until it has nothing to do: batches for all that is unserved, or the end.
      if (plan.phase === "discovery" && plan.listComplete === true) return undefined;
      if (plan.phase === "discovery" && plan.discoveryFailure !== undefined) return undefined;
      if (plan.phase === "enrichment" && plan.listComplete !== false && plan.unserved.length === 0) return undefined;
      const isBack = plan.phase === "enrichment" && plan.listComplete === false;
      const phase = isBack ? "discovery" : plan.phase;
      const batches = [...liveBatches, { ...made, type: phase }];
      return {
        ...snapshot,
        strayRaces: undefined,
        liveBatches: batches,
        plan: { ...plan, phase, unserved: [], liveBatches: batches.filter((batch) => batch.type === phase).length },
      };
    }
    case "start_sync":
    case "wake_processor":
      return undefined;
    default:
      return remedy satisfies never;
  }
}

test("the diagnosis hangs on differences of time alone: the same sync an hour later is the same", () => {
  fc.assert(
    fc.property(anySnapshot, anyRules, fc.integer({ min: -HOUR_MS, max: HOUR_MS }), (snapshot, rules, byMs) => {
      const later = diagnose(shifted(snapshot, byMs), shifted(rules, byMs)).map(({ kind, batchId: id }) => [kind, id]);
      expect(later).toEqual(diagnose(snapshot, rules).map(({ kind, batchId: id }) => [kind, id]));
    }),
    RUNS,
  );
});

const IS_TIME = /(?:^nowMs|AtMs|[uU]ntilMs|^runAfterMs)$/;

/** Moves every time in a value. */
function shifted<T>(value: T, byMs: number): T {
  if (Array.isArray(value)) return value.map((one) => shifted(one, byMs)) as T;
  if (typeof value !== "object" || value === null) return value;
  const parts = Object.entries(value).map(([name, part]) =>
    typeof part === "number" && IS_TIME.test(name) ? [name, part + byMs] : [name, shifted(part, byMs)],
  );
  return Object.fromEntries(parts);
}
