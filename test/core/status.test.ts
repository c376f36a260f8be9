import { expect, test } from "bun:test";
import fc from "fast-check";
import type { WaitReason } from "../../src/core/batch.ts";
import type { DiagnosisRules } from "../../src/core/diagnose.ts";
import type { SyncSnapshot } from "../../src/core/snapshot.ts";
import { describeState } from "../../src/core/status.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { ago, ahead, pendingBatch, processingBatch, rulesWith, snapshotWith } from "../support/snapshots.ts";

const stateOf = (snapshot: SyncSnapshot, rules: Partial<DiagnosisRules> & { healing?: "automatic" | "suggest" } = {}) =>
  describeState(snapshot, { healing: "automatic", ...rulesWith(rules), ...rules });
const INCIDENT = snapshotWith([], { plan: { racesPending: 20, unserved: [{ exhaustedSize: undefined, count: 20 }] } });
const warningOf = (snapshot: SyncSnapshot, healing: "automatic" | "suggest" = "automatic") => {
  const state = stateOf(snapshot, { healing });
  return state.state === "stalled" ? state.warning : undefined;
};

test("the incident reads as the contract says, word for word", () => {
  expect(warningOf(INCIDENT)).toBe(
    "Sync appears stalled: no pending batches but sync not complete. System will auto-create missing batches.",
  );
  expect(warningOf(INCIDENT, "suggest")).toBe(
    "Sync appears stalled: no pending batches but sync not complete. Apply the proposed remedy to go on.",
  );
});

test("a stall with live batches says what is wrong with them", () => {
  const orphan = snapshotWith([processingBatch({ leaseExpiresAtMs: ago(30_000) })]);
  expect(warningOf(orphan)).toBe(
    "Sync appears stalled: The lease of batch 4 expired 30 s ago, and nobody renewed it. System will repair it at the next health check.",
  );
  expect(warningOf(orphan, "suggest")).toEndWith("nobody renewed it. Apply the proposed remedy to go on.");
});

test("races without a batch beside live ones are a stall that does not claim that nothing is pending", () => {
  const plan = { racesPending: 17, unserved: [{ exhaustedSize: undefined, count: 2 }] };
  for (const batch of [pendingBatch(), processingBatch()]) {
    expect(warningOf(snapshotWith([batch], { plan }))).toBe(
      "Sync appears stalled: 2 races need enrichment and no live batch will take them (3 of 4 batches completed, 1 live). System will auto-create missing batches.",
    );
  }
});

test("a sync that is done and not marked so says that it will be completed", () => {
  expect(warningOf(snapshotWith([]))).toBe(
    "Sync appears stalled: Nothing is left to do, but the sync is still in progress. System will complete it.",
  );
});

test("a sync with a batch under way is processing, though others wait or everybody is held back", () => {
  const until = ahead(MINUTE_MS);
  const waiting = pendingBatch({ number: 5, waitReason: "backoff", runAfterMs: until, waitsUntilMs: until });
  const hold = { reason: "quota_15min", untilMs: until } as const;
  expect(stateOf(snapshotWith([waiting, processingBatch()]), { hold })).toEqual({
    state: "processing",
    explanation:
      "Batch 4 is running: last sign of life 10 s ago, lease good for 50 s more, last progress 20 s ago. It counts as stalled after 20 min without progress: in 20 min, if nothing happens.",
  });
});

test("a batch that waits says why and until when, the one that is due first for all", () => {
  const wait = (number: number, waitReason: WaitReason, waitMs: number) =>
    pendingBatch({ number, waitReason, runAfterMs: ahead(waitMs), waitsUntilMs: ahead(waitMs) });
  const snapshot = snapshotWith([
    wait(1, "quota_daily", HOUR_MS),
    wait(2, "backoff", MINUTE_MS),
    wait(3, "quota_15min", 2 * MINUTE_MS),
  ]);
  expect(stateOf(snapshot)).toEqual({
    state: "waiting",
    waiting: {
      reason: "backoff",
      resumesAtMs: ahead(MINUTE_MS),
      detail: "Its last try failed; it tries again at 2025-11-16 23:13:52 UTC.",
    },
    explanation: "Its last try failed; it tries again at 2025-11-16 23:13:52 UTC. 45 races in 3 batches wait.",
  });
});

test("a due batch is held back by the quota, or stands in the queue: neither is a stall", () => {
  const hold = { reason: "quota_reserve", untilMs: ahead(HOUR_MS) } as const;
  expect(stateOf(snapshotWith([pendingBatch()]), { hold })).toMatchObject({
    state: "waiting",
    waiting: { reason: "quota_reserve", resumesAtMs: ahead(HOUR_MS) },
  });
  const detail =
    "Batch 4 has been due for 20 s, and the last batch was claimed 5 s ago; it runs as soon as it is its turn. It counts as stalled after 20 min without a claim.";
  expect(stateOf(snapshotWith([pendingBatch()]))).toEqual({
    state: "waiting",
    waiting: { reason: "queue", resumesAtMs: null, detail },
    explanation: detail,
  });
});

test("a wait is over at its moment: then the batch is in the queue", () => {
  const waiting = (waitMs: number) =>
    stateOf(
      snapshotWith([
        pendingBatch({ waitReason: "quota_15min", runAfterMs: ahead(waitMs), waitsUntilMs: ahead(waitMs) }),
      ]),
    );
  expect(waiting(1)).toMatchObject({ waiting: { reason: "quota_15min" } });
  expect(waiting(0)).toMatchObject({ waiting: { reason: "queue" } });
  expect(waiting(-1)).toMatchObject({ waiting: { reason: "queue" } });
});

test("a paused sync waits for a person, also with nothing live", () => {
  for (const batches of [[], [pendingBatch()], [processingBatch()]]) {
    expect(stateOf(snapshotWith(batches, { isPaused: true }))).toMatchObject({
      state: "waiting",
      waiting: { reason: "paused", resumesAtMs: null },
    });
  }
});

test("every reason to wait has its own words, with the moment in them", () => {
  const reasons: WaitReason[] = [
    "quota_15min",
    "quota_daily",
    "quota_reserve",
    "backoff",
    "strava_unavailable",
    "app_inactive",
  ];
  const details = reasons.map((waitReason) => {
    const until = ahead(MINUTE_MS);
    const state = stateOf(snapshotWith([pendingBatch({ waitReason, runAfterMs: until, waitsUntilMs: until })]));
    return state.state === "waiting" ? state.waiting.detail : "";
  });
  expect(new Set(details).size).toBe(reasons.length);
  for (const detail of details) expect(detail).toContain("2025-11-16 23:13:52 UTC");
});

test("a sync is stalled exactly when something is found, and never silent otherwise", () => {
  const batch = fc.oneof(
    fc.integer({ min: -100_000, max: 200_000 }).map((ms) => processingBatch({ leaseExpiresAtMs: ahead(ms) })),
    fc.integer({ min: -HOUR_MS, max: HOUR_MS }).map((ms) => pendingBatch({ runAfterMs: ahead(ms) })),
    fc
      .integer({ min: -HOUR_MS, max: 30 * HOUR_MS })
      .map((ms) => pendingBatch({ waitReason: "backoff", runAfterMs: ahead(ms), waitsUntilMs: ahead(ms) })),
  );
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 4 }), fc.boolean(), (batches, isPaused) => {
      const state = stateOf(snapshotWith(batches, { isPaused }));
      if (state.state === "stalled") {
        expect(state.warning).toStartWith("Sync appears stalled: ");
        expect(state.finding.whyNotWaiting).not.toBe("");
      }
      if (state.state === "waiting") expect(state.waiting.detail).not.toBe("");
      if (state.state === "processing") expect(batches.some((one) => one.status === "processing")).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("of batches that wait for the same moment the first says what for", () => {
  const until = ahead(MINUTE_MS);
  const waiting = (number: number, waitReason: WaitReason) =>
    pendingBatch({ number, waitReason, runAfterMs: until, waitsUntilMs: until });
  const snapshot = snapshotWith([waiting(4, "backoff"), waiting(5, "quota_daily")]);
  expect(stateOf(snapshot)).toMatchObject({ state: "waiting", waiting: { reason: "backoff", resumesAtMs: until } });
});

test("a list that nobody reads on is a stall whose missing batch will be made", () => {
  expect(warningOf(snapshotWith([], { plan: { phase: "discovery", listComplete: false } }))).toEndWith(
    "System will auto-create missing batches.",
  );
});

test("a batch of the wrong phase is told of as what it is, though none of the right one is live", () => {
  expect(warningOf(snapshotWith([pendingBatch({ number: 9, type: "discovery" })]))).toBe(
    "Sync appears stalled: Batch 9 is live as discovery, but the sync is in enrichment. System will repair it at the next health check.",
  );
});
