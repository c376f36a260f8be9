import { expect, test } from "bun:test";
import fc from "fast-check";
import { LONGEST_WAIT_MS, type WaitReason } from "../../src/core/batch.ts";
import { diagnose } from "../../src/core/diagnose.ts";
import { type Finding, type FindingKind, remedyInWords } from "../../src/core/findings.ts";
import type { LiveBatch, SyncSnapshot } from "../../src/core/snapshot.ts";
import { batchId, type EpochMs, HOUR_MS, leaseToken, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { ago, ahead, NOW, pendingBatch, processingBatch, rulesWith, snapshotWith } from "../support/snapshots.ts";

const DISCOVERY = { plan: { phase: "discovery", listComplete: false } } as const;
const kinds = (findings: readonly Finding[]): FindingKind[] => findings.map((finding) => finding.kind);
const kindsOf = (snapshot: SyncSnapshot, rules = rulesWith()) => kinds(diagnose(snapshot, rules));

test("the incident: nothing live, 20 races pending, and the finding says so with its numbers", () => {
  const snapshot = snapshotWith([], {
    plan: { racesPending: 20, unserved: [{ exhaustedSize: undefined, count: 20 }] },
  });
  const findings = diagnose(snapshot, rulesWith());
  expect(kinds(findings)).toEqual(["missing_enrichment_batches"]);
  expect(findings[0]).toMatchObject({
    syncId: 7,
    athleteId: 3,
    batchId: null,
    beganAtMs: snapshot.lastProgressAtMs,
    remedy: { do: "replan" },
    message: "20 races need enrichment and no live batch will take them (3 of 3 batches completed, 0 live).",
  });
  expect(findings[0]?.evidence).toMatchObject({
    races_pending: 20,
    races_unserved: 20,
    live_batches: 0,
    total_batches: 3,
    completed_batches: 3,
    batches_to_create: 2,
  });
});

test("each thing that the plan would do is found under its name", () => {
  const inDiscovery = (plan: object) => kindsOf(snapshotWith([], { plan: { ...DISCOVERY.plan, ...plan } }));
  expect(inDiscovery({})).toEqual(["missing_discovery_batch"]);
  expect(inDiscovery({ discoveryFailure: "Strava answered 500" })).toEqual(["exhausted_batches"]);
  expect(inDiscovery({ listComplete: true, racesPending: 2 })).toEqual(["missing_enrichment_batches"]);
  expect(inDiscovery({ listComplete: true, racesPending: 0 })).toEqual(["unfinished_completion"]);
  const inEnrichment = (plan: object) => kindsOf(snapshotWith([], { plan }));
  expect(inEnrichment({ listComplete: false })).toEqual(["missing_discovery_batch"]);
  expect(inEnrichment({ racesPending: 0 })).toEqual(["unfinished_completion"]);
  const exhausted = (exhaustedSize: number) => ({ racesPending: 3, unserved: [{ exhaustedSize, count: 3 }] });
  expect(inEnrichment(exhausted(15))).toEqual(["exhausted_batches"]);
  expect(inEnrichment(exhausted(1))).toEqual(["exhausted_batches"]);
});

test("a paused sync misses nothing, but a lease that is lost is lost in it too", () => {
  expect(kindsOf(snapshotWith([], { isPaused: true }))).toEqual([]);
  const orphan = processingBatch({ leaseExpiresAtMs: ago(1) });
  expect(kindsOf(snapshotWith([orphan], { isPaused: true }))).toEqual(["orphaned_batch"]);
});

test("a lease is lost at the moment of its expiry, and not a millisecond before", () => {
  const withLease = (leaseExpiresAtMs: typeof NOW) =>
    diagnose(snapshotWith([processingBatch({ leaseExpiresAtMs })]), rulesWith());
  expect(kinds(withLease(ahead(1)))).toEqual([]);
  expect(kinds(withLease(NOW))).toEqual(["orphaned_batch"]);
  expect(kinds(withLease(ago(1)))).toEqual(["orphaned_batch"]);
  expect(withLease(ago(90_000))[0]).toMatchObject({
    batchId: 44,
    beganAtMs: ago(90_000),
    evidence: { expired_for_ms: 90_000, attempts: 0, heartbeat_at_ms: ago(10 * SECOND_MS) },
    remedy: { do: "sweep_leases", batches: [{ batchId: 44, leaseToken: "lease", attempts: 0 }] },
    message: "The lease of batch 4 expired 90 s ago, and nobody renewed it.",
  });
});

test("a lease is impossible when it ends later than two leases from now, and not at two", () => {
  const withLease = (aheadMs: number) => kindsOf(snapshotWith([processingBatch({ leaseExpiresAtMs: ahead(aheadMs) })]));
  expect(withLease(120 * SECOND_MS)).toEqual([]);
  expect(withLease(120 * SECOND_MS + 1)).toEqual(["impossible_lease"]);
  expect(withLease(1_000 * HOUR_MS)).toEqual(["impossible_lease"]);
});

test("a processing batch with half a lease, or none, is found whatever the clock did", () => {
  const rules = rulesWith({ ageProvesNothingUntilMs: ahead(MINUTE_MS) });
  for (const lease of [
    { leaseToken: null },
    { leaseExpiresAtMs: null },
    { leaseToken: null, leaseExpiresAtMs: null },
  ]) {
    const findings = diagnose(snapshotWith([processingBatch({ ...lease, leasedAtMs: null })]), rules);
    expect(kinds(findings)).toEqual(["impossible_lease"]);
    expect(findings[0]?.remedy).toMatchObject({ do: "sweep_leases", batches: [{ batchId: 44, attempts: 0 }] });
  }
});

test("after a start, a sleep or a jump of the clock, age proves nothing for one period", () => {
  const orphan = snapshotWith([processingBatch({ leaseExpiresAtMs: ago(HOUR_MS) })]);
  const far = snapshotWith([processingBatch({ leaseExpiresAtMs: ahead(HOUR_MS) })]);
  const idle = snapshotWith([processingBatch({ leasedAtMs: ago(HOUR_MS) })], { lastProgressAtMs: ago(HOUR_MS) });
  const queued = snapshotWith([pendingBatch({ runAfterMs: ago(HOUR_MS), createdAtMs: ago(HOUR_MS) })], {
    lastProgressAtMs: ago(HOUR_MS),
  });
  const kindsWhen = (snapshot: SyncSnapshot, ageProvesNothingUntilMs: EpochMs) =>
    kindsOf(snapshot, rulesWith({ lastClaimAtMs: ago(HOUR_MS), ageProvesNothingUntilMs }));
  for (const snapshot of [orphan, far, idle, queued]) expect(kindsWhen(snapshot, ahead(1))).toEqual([]);
  for (const snapshot of [orphan, far]) expect(kindsWhen(snapshot, NOW)).toHaveLength(1);
  // What passed before is not held against anybody: the threshold counts from then.
  for (const snapshot of [idle, queued]) {
    expect(kindsWhen(snapshot, ago(20 * MINUTE_MS))).toEqual([]);
    expect(kindsWhen(snapshot, ago(20 * MINUTE_MS + 1))).toHaveLength(1);
  }
});

test("a batch of the other phase is stray and is cancelled", () => {
  const findings = diagnose(
    snapshotWith([processingBatch(), pendingBatch({ number: 9, type: "discovery" })]),
    rulesWith(),
  );
  expect(kinds(findings)).toEqual(["stray_batch"]);
  expect(findings[0]).toMatchObject({ batchId: 49, remedy: { do: "cancel_batches", batches: [{ batchId: 49 }] } });
});

test("a batch that waits for a known moment is fine until that moment, in every reason", () => {
  const reasons: WaitReason[] = [
    "quota_15min",
    "quota_daily",
    "quota_reserve",
    "backoff",
    "strava_unavailable",
    "app_inactive",
  ];
  for (const waitReason of reasons) {
    const until = ahead(10 * MINUTE_MS);
    expect(kindsOf(snapshotWith([pendingBatch({ waitReason, runAfterMs: until, waitsUntilMs: until })]))).toEqual([]);
  }
});

test("a batch that waits longer than what it waits for is found once that has passed", () => {
  const waiting = (waitsUntilMs: typeof NOW) =>
    diagnose(
      snapshotWith([pendingBatch({ waitReason: "quota_15min", runAfterMs: ahead(HOUR_MS), waitsUntilMs })]),
      rulesWith(),
    );
  expect(kinds(waiting(ahead(1)))).toEqual([]);
  expect(kinds(waiting(NOW))).toEqual(["waiting_past_reset"]);
  expect(waiting(ago(1))[0]).toMatchObject({
    beganAtMs: ago(1),
    message: "Batch 4 is set to wait 60 min more, but what it waits for (quota_15min) passed 0 s ago.",
    remedy: { do: "make_due", batches: [{ batchId: 44, runAfterMs: ahead(HOUR_MS) }] },
  });
});

test("a batch that waits with no reason is found, one that is due is not", () => {
  expect(kindsOf(snapshotWith([pendingBatch({ runAfterMs: ahead(1) })]))).toEqual(["waiting_past_reset"]);
  expect(kindsOf(snapshotWith([pendingBatch({ runAfterMs: NOW })]))).toEqual([]);
  expect(kindsOf(snapshotWith([pendingBatch({ runAfterMs: ahead(1), waitReason: "backoff" })]))).toEqual([
    "waiting_past_reset",
  ]);
});

test("half a reason to wait is none, and the finding says so", () => {
  for (const half of [{ waitReason: "backoff" }, { waitsUntilMs: ago(1) }] as const) {
    const findings = diagnose(snapshotWith([pendingBatch({ runAfterMs: ahead(90_000), ...half })]), rulesWith());
    expect(findings[0]?.message).toBe("Batch 4 is set to wait 90 s more, but it has no reason to wait.");
  }
});

test("a wait is too far beyond the longest that Broomwagon asks for, whatever its reason", () => {
  const waiting = (waitMs: number) => {
    const until = ahead(waitMs);
    return kindsOf(snapshotWith([pendingBatch({ waitReason: "quota_daily", runAfterMs: until, waitsUntilMs: until })]));
  };
  expect(waiting(LONGEST_WAIT_MS)).toEqual([]);
  expect(waiting(LONGEST_WAIT_MS + 1)).toEqual(["far_wait"]);
});

test("a held batch without progress is found past the threshold of its phase, counted from the claim at the latest", () => {
  const idle = (idleMs: number, phase: "discovery" | "enrichment", leasedMs = HOUR_MS) =>
    diagnose(
      snapshotWith([processingBatch({ type: phase, leasedAtMs: ago(leasedMs) })], {
        lastProgressAtMs: ago(idleMs),
        plan: { phase },
      }),
      rulesWith(),
    );
  expect(kinds(idle(10 * MINUTE_MS, "discovery"))).toEqual([]);
  expect(kinds(idle(10 * MINUTE_MS + 1, "discovery"))).toEqual(["no_progress"]);
  expect(kinds(idle(10 * MINUTE_MS + 1, "enrichment"))).toEqual([]);
  expect(kinds(idle(20 * MINUTE_MS + 1, "enrichment"))).toEqual(["no_progress"]);
  // The sync waited for hours, and then a worker took it up.
  expect(kinds(idle(9 * HOUR_MS, "enrichment", 20 * MINUTE_MS))).toEqual([]);
  expect(idle(9 * HOUR_MS, "enrichment", 20 * MINUTE_MS + 1)[0]).toMatchObject({
    kind: "no_progress",
    beganAtMs: ago(20 * MINUTE_MS + 1),
    evidence: { idle_ms: 20 * MINUTE_MS + 1, threshold_ms: 20 * MINUTE_MS },
    remedy: { do: "abort_run", batchId: 44, leaseToken: "lease", attempts: 0 },
  });
});

test("a batch whose lease has expired has no live worker: it is orphaned, and not idle as well", () => {
  const expired = processingBatch({ leasedAtMs: ago(HOUR_MS), leaseExpiresAtMs: NOW });
  expect(kindsOf(snapshotWith([expired], { lastProgressAtMs: ago(HOUR_MS) }))).toEqual(["orphaned_batch"]);
  const leaseless = processingBatch({ leasedAtMs: ago(HOUR_MS), leaseToken: null });
  expect(kindsOf(snapshotWith([leaseless], { lastProgressAtMs: ago(HOUR_MS) }))).toEqual(["impossible_lease"]);
});

test("a due batch that nobody claims is found when it waited, and the processor claimed nothing, past the threshold", () => {
  const limitMs = 20 * MINUTE_MS;
  const queued = (dueMs: number, claimlessMs: number, values: object = {}) =>
    kindsOf(
      snapshotWith([pendingBatch({ runAfterMs: ago(dueMs), createdAtMs: ago(9 * HOUR_MS) })], {
        lastProgressAtMs: ago(9 * HOUR_MS),
      }),
      rulesWith({ lastClaimAtMs: ago(claimlessMs), ...values }),
    );
  expect(queued(limitMs, limitMs + 1)).toEqual([]);
  expect(queued(limitMs + 1, limitMs)).toEqual([]);
  expect(queued(limitMs + 1, limitMs + 1)).toEqual(["queued_too_long"]);
  const hold = { reason: "quota_daily", untilMs: ahead(HOUR_MS) } as const;
  expect(queued(HOUR_MS, HOUR_MS, { hold })).toEqual([]);
});

test("a due batch is in a moving queue while its sync is paused, or another of its batches runs", () => {
  const old = { runAfterMs: ago(HOUR_MS), createdAtMs: ago(HOUR_MS) };
  const rules = rulesWith({ lastClaimAtMs: ago(HOUR_MS) });
  const since = { lastProgressAtMs: ago(HOUR_MS) };
  expect(kindsOf(snapshotWith([pendingBatch(old)], since), rules)).toEqual(["queued_too_long"]);
  expect(kindsOf(snapshotWith([pendingBatch(old)], { ...since, isPaused: true }), rules)).toEqual([]);
  expect(kindsOf(snapshotWith([pendingBatch(old), processingBatch({ number: 5 })], since), rules)).toEqual([]);
  // Its own sync moved on a moment ago: it has not waited since before.
  expect(kindsOf(snapshotWith([pendingBatch(old)]), rules)).toEqual([]);
});

test("a batch that waits for its moment does not hide a later one that nobody claims", () => {
  const until = ahead(HOUR_MS);
  const waiting = pendingBatch({ number: 1, waitReason: "backoff", runAfterMs: until, waitsUntilMs: until });
  const due = pendingBatch({ number: 2, runAfterMs: ago(HOUR_MS), createdAtMs: ago(HOUR_MS) });
  const rules = rulesWith({ lastClaimAtMs: ago(HOUR_MS) });
  const findings = diagnose(snapshotWith([waiting, due], { lastProgressAtMs: ago(HOUR_MS) }), rules);
  expect(findings).toMatchObject([{ kind: "queued_too_long", batchId: 42 }]);
});

test("the most urgent finding comes first: leases, strays, waits, the plan, progress, the queue", () => {
  const snapshot = snapshotWith(
    [
      processingBatch({ number: 1, leasedAtMs: ago(HOUR_MS) }),
      pendingBatch({ number: 2, runAfterMs: ahead(MINUTE_MS) }),
      pendingBatch({ number: 3, type: "discovery" }),
      processingBatch({ number: 4, leaseExpiresAtMs: ago(1), leaseToken: leaseToken("gone") }),
    ],
    { lastProgressAtMs: ago(HOUR_MS), plan: { unserved: [{ exhaustedSize: undefined, count: 2 }] } },
  );
  expect(kindsOf(snapshot)).toEqual([
    "orphaned_batch",
    "stray_batch",
    "waiting_past_reset",
    "missing_enrichment_batches",
    "no_progress",
  ]);
});

test("what befell several batches of a sync alike is one trouble, whose remedy guards each by what was seen of it", () => {
  const findings = diagnose(
    snapshotWith([
      processingBatch({ number: 1, leaseExpiresAtMs: ago(9_000), attempts: 2 }),
      processingBatch({ number: 2 }),
      processingBatch({ number: 3, leaseExpiresAtMs: ago(5_000), leaseToken: leaseToken("other") }),
      pendingBatch({ number: 5, runAfterMs: ahead(1_000) }),
      pendingBatch({ number: 6, runAfterMs: ahead(2_000) }),
    ]),
    rulesWith(),
  );
  expect(kinds(findings)).toEqual(["orphaned_batch", "waiting_past_reset"]);
  expect(findings[0]).toMatchObject({ batchId: 41, evidence: { batches: 2 } });
  expect(findings[0]?.remedy).toEqual({
    do: "sweep_leases",
    batches: [
      { batchId: batchId(41), leaseToken: leaseToken("lease"), attempts: 2 },
      { batchId: batchId(43), leaseToken: leaseToken("other"), attempts: 0 },
    ],
  });
  expect(findings[1]?.remedy).toEqual({
    do: "make_due",
    batches: [
      { batchId: batchId(45), runAfterMs: ahead(1_000) },
      { batchId: batchId(46), runAfterMs: ahead(2_000) },
    ],
  });
});

test("every remedy has words, and they hold ids and counts, no more", () => {
  const batch = { batchId: batchId(4), attempts: 1, leaseToken: leaseToken("secret"), runAfterMs: NOW };
  const words = [
    remedyInWords({ do: "replan" }),
    remedyInWords({ do: "sweep_leases", batches: [batch] }),
    remedyInWords({ do: "sweep_leases", batches: [batch, batch] }),
    remedyInWords({ do: "abort_run", ...batch }),
    remedyInWords({ do: "make_due", batches: [batch] }),
    remedyInWords({ do: "cancel_batches", batches: [batch] }),
    remedyInWords({ do: "wake_processor" }),
  ];
  expect(new Set(words).size).toBe(7);
  expect(words.join()).not.toContain("secret");
  expect(words[1]).toBe("put batch 4 back to pending, one attempt spent each");
  expect(words[2]).toContain("2 batches");
});

/** Batches as this daemon makes them: leases renewed, waits with a reason and a moment. */
const healthyBatch = fc.oneof(
  fc
    .record({ aheadMs: fc.integer({ min: 1, max: 60_000 }), leasedMs: fc.integer({ min: 0, max: 20 * MINUTE_MS }) })
    .map(({ aheadMs, leasedMs }) => processingBatch({ leaseExpiresAtMs: ahead(aheadMs), leasedAtMs: ago(leasedMs) })),
  fc
    .record({
      reason: fc.constantFrom<WaitReason>("quota_15min", "quota_daily", "quota_reserve", "backoff", "app_inactive"),
      waitMs: fc.integer({ min: 1, max: LONGEST_WAIT_MS }),
    })
    .map(({ reason, waitMs }) =>
      pendingBatch({ waitReason: reason, runAfterMs: ahead(waitMs), waitsUntilMs: ahead(waitMs) }),
    ),
  fc.integer({ min: 0, max: 20 * MINUTE_MS }).map((dueMs) => pendingBatch({ runAfterMs: ago(dueMs) })),
);
const numbered = (batches: readonly LiveBatch[]): LiveBatch[] =>
  batches.map((batch, index) => ({ ...batch, number: index + 1, id: batchId(index + 41) }));
const healthy = fc
  .tuple(
    fc.array(healthyBatch, { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 0, max: 20 * MINUTE_MS }),
    fc.boolean(),
  )
  .map(([batches, idleMs, isPaused]) => snapshotWith(numbered(batches), { lastProgressAtMs: ago(idleMs), isPaused }));

test("nothing is ever found in a sync that moves or waits for a known time", () => {
  fc.assert(
    fc.property(healthy, (snapshot) => {
      expect(diagnose(snapshot, rulesWith())).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

/** What a hand, a crash or a bug does to a sync, and what must be found then. */
const faults: readonly { kind: FindingKind; plant: (snapshot: SyncSnapshot) => SyncSnapshot }[] = [
  { kind: "orphaned_batch", plant: (s) => withBatch(s, processingBatch({ number: 90, leaseExpiresAtMs: ago(5_000) })) },
  { kind: "impossible_lease", plant: (s) => withBatch(s, processingBatch({ number: 90, leaseExpiresAtMs: null })) },
  {
    kind: "impossible_lease",
    plant: (s) => withBatch(s, processingBatch({ number: 90, leaseExpiresAtMs: ahead(HOUR_MS) })),
  },
  { kind: "stray_batch", plant: (s) => withBatch(s, pendingBatch({ number: 90, type: "discovery" })) },
  { kind: "far_wait", plant: (s) => withBatch(s, pendingBatch({ number: 90, runAfterMs: ahead(99 * HOUR_MS) })) },
  { kind: "waiting_past_reset", plant: (s) => withBatch(s, pendingBatch({ number: 90, runAfterMs: ahead(HOUR_MS) })) },
  {
    kind: "no_progress",
    plant: (s) => ({
      ...withBatch(s, processingBatch({ number: 90, leasedAtMs: ago(HOUR_MS) })),
      lastProgressAtMs: ago(HOUR_MS),
    }),
  },
  {
    kind: "missing_enrichment_batches",
    plant: (s) => ({ ...s, isPaused: false, plan: { ...s.plan, unserved: [{ exhaustedSize: undefined, count: 2 }] } }),
  },
  {
    kind: "exhausted_batches",
    plant: (s) => ({ ...s, isPaused: false, plan: { ...s.plan, unserved: [{ exhaustedSize: 4, count: 2 }] } }),
  },
  {
    kind: "missing_discovery_batch",
    plant: (s) => ({ ...s, isPaused: false, plan: { ...s.plan, listComplete: false } }),
  },
];

function withBatch(snapshot: SyncSnapshot, batch: LiveBatch): SyncSnapshot {
  return { ...snapshot, liveBatches: [...snapshot.liveBatches, batch] };
}

test("a planted fault is always found, with evidence, in words without a number that is none", () => {
  fc.assert(
    fc.property(healthy, fc.constantFrom(...faults), (snapshot, fault) => {
      const findings = diagnose(fault.plant(snapshot), rulesWith());
      expect(kinds(findings)).toContain(fault.kind);
      for (const finding of findings) {
        expect(Object.keys(finding.evidence).length).toBeGreaterThan(0);
        expect(finding.message).toMatch(/^[^ ].*\.$/);
        expect(finding.whyNotWaiting).not.toBe("");
        expect(`${finding.message}${JSON.stringify(finding.evidence)}`).not.toMatch(/NaN|undefined|Infinity/);
        expect(finding.beganAtMs).toBeLessThanOrEqual(NOW);
      }
    }),
    { numRuns: 300 },
  );
});

test("a diagnosis changes nothing and says the same twice", () => {
  fc.assert(
    fc.property(healthy, fc.constantFrom(...faults), (snapshot, fault) => {
      const sick = deepFreeze(fault.plant(snapshot));
      expect(diagnose(sick, rulesWith())).toEqual(diagnose(sick, rulesWith()));
    }),
    { numRuns: 100 },
  );
});

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

test("evidence holds what was seen of the first batch, and how many there were", () => {
  const evidenceOf = (batch: LiveBatch, values: Parameters<typeof snapshotWith>[1] = {}) =>
    diagnose(snapshotWith([batch], values), rulesWith())[0]?.evidence;
  const lease = { attempts: 0, lease_ms: 60_000, batches: 1 };
  expect(evidenceOf(processingBatch({ leaseExpiresAtMs: ahead(HOUR_MS) }))).toEqual({
    lease_expires_at_ms: ahead(HOUR_MS),
    ahead_ms: HOUR_MS,
    ...lease,
  });
  expect(evidenceOf(processingBatch({ leaseToken: null }))).toEqual({
    lease_expires_at_ms: ahead(50 * SECOND_MS),
    ...lease,
  });
  expect(evidenceOf(pendingBatch({ type: "discovery" }), { plan: { racesPending: 1 } })).toEqual({
    batch_type: "discovery",
    phase: "enrichment",
    batches: 1,
  });
  const until = ahead(99 * HOUR_MS);
  expect(evidenceOf(pendingBatch({ runAfterMs: until, waitReason: "backoff", waitsUntilMs: ago(1) }))).toEqual({
    run_after_ms: until,
    wait_reason: "backoff",
    waits_until_ms: ago(1),
    now_ms: NOW,
    batches: 1,
  });
});

test("a trouble of several batches says so, and one of a single batch does not", () => {
  const messageOf = (...numbers: number[]) =>
    diagnose(snapshotWith(numbers.map((number) => processingBatch({ number, leaseToken: null }))), rulesWith())[0]
      ?.message;
  expect(messageOf(4)).toBe("Batch 4 is processing without a lease, so no worker can hold it.");
  expect(messageOf(4, 5)).toBe(
    "Batch 4 is processing without a lease, so no worker can hold it. So it is with 2 batches.",
  );
});

test("a trouble began when its batch was claimed, or when its wait was over; where nobody knows, now", () => {
  const beganAt = (batch: LiveBatch) => diagnose(snapshotWith([batch]), rulesWith())[0]?.beganAtMs;
  expect(beganAt(processingBatch({ leaseToken: null }))).toBe(ago(30 * SECOND_MS));
  expect(beganAt(processingBatch({ leaseToken: null, leasedAtMs: null }))).toBe(NOW);
  expect(beganAt(pendingBatch({ runAfterMs: ahead(HOUR_MS), waitsUntilMs: ago(5) }))).toBe(ago(5));
  expect(beganAt(pendingBatch({ runAfterMs: ahead(HOUR_MS) }))).toBe(NOW);
});

test("a moment to wait for without a reason is no reason, also while it lies ahead", () => {
  expect(kindsOf(snapshotWith([pendingBatch({ runAfterMs: ahead(HOUR_MS), waitsUntilMs: ahead(HOUR_MS) })]))).toEqual([
    "waiting_past_reset",
  ]);
});

test("pages that are live in enrichment are stray, and not twins as well", () => {
  const pages = [pendingBatch({ number: 8, type: "discovery" }), pendingBatch({ number: 9, type: "discovery" })];
  expect(kindsOf(snapshotWith([processingBatch(), ...pages]))).toEqual(["stray_batch"]);
});

test("what the plan would do is in the evidence, with the batches that it would create, where it would create any", () => {
  expect(diagnose(snapshotWith([], DISCOVERY), rulesWith())[0]?.evidence).toStrictEqual({
    phase: "discovery",
    races_pending: 0,
    races_unserved: 0,
    live_batches: 0,
    total_batches: 3,
    completed_batches: 3,
    failed_batches: 0,
    step: "create_discovery_batch",
    batches_to_create: null,
  });
  const oneLeft = snapshotWith([], { plan: { phase: "discovery", listComplete: true, racesPending: 1 } });
  expect(kindsOf(oneLeft)).toEqual(["missing_enrichment_batches"]);
});

test("a worker of this very process whose lease has no end is not idle as well", () => {
  const batch = processingBatch({ leaseToken: leaseToken("ours"), leaseExpiresAtMs: null, leasedAtMs: ago(HOUR_MS) });
  const ownLeases = new Map([[leaseToken("ours"), batch.id]]);
  expect(kindsOf(snapshotWith([batch], { lastProgressAtMs: ago(HOUR_MS) }), rulesWith({ ownLeases }))).toEqual([
    "impossible_lease",
  ]);
});

test("where nobody knows when a batch was claimed, its progress alone counts", () => {
  const idle = (idleMs: number) =>
    kindsOf(snapshotWith([processingBatch({ leasedAtMs: null })], { lastProgressAtMs: ago(idleMs) }));
  expect([idle(20 * MINUTE_MS), idle(20 * MINUTE_MS + 1)]).toEqual([[], ["no_progress"]]);
});

const QUEUED = { runAfterMs: ago(HOUR_MS), createdAtMs: ago(HOUR_MS) };
const LONG_AGO = { lastProgressAtMs: ago(HOUR_MS) };

test("nobody stands in a queue while the daemon is paused, or every worker is busy", () => {
  const rules = { lastClaimAtMs: ago(HOUR_MS) };
  const snapshot = snapshotWith([pendingBatch(QUEUED)], LONG_AGO);
  expect(kindsOf(snapshot, rulesWith(rules))).toEqual(["queued_too_long"]);
  expect(kindsOf(snapshot, rulesWith({ ...rules, isClaiming: false }))).toEqual([]);
  expect(kindsOf(snapshot, rulesWith({ ...rules, isFull: true }))).toEqual([]);
});

test("a batch that is due only now hides none that has been due for long and that nobody claims", () => {
  const batches = [
    pendingBatch({ number: 1, runAfterMs: ago(1), createdAtMs: ago(HOUR_MS) }),
    pendingBatch({ number: 2, ...QUEUED }),
    pendingBatch({ number: 3, ...QUEUED }),
    pendingBatch({ number: 4, runAfterMs: NOW, createdAtMs: ago(HOUR_MS) }),
  ];
  const findings = diagnose(snapshotWith(batches, LONG_AGO), rulesWith({ lastClaimAtMs: ago(HOUR_MS) }));
  expect(findings).toMatchObject([{ kind: "queued_too_long", batchId: 42, evidence: { due_for_ms: HOUR_MS } }]);
});

test("for as long as requests of its class were held, nothing could be claimed", () => {
  const rules = rulesWith({ lastClaimAtMs: ago(HOUR_MS), claimableSinceMs: ago(30 * MINUTE_MS) });
  expect(diagnose(snapshotWith([pendingBatch(QUEUED)], LONG_AGO), rules)[0]?.evidence).toEqual({
    due_for_ms: 30 * MINUTE_MS,
    no_claim_for_ms: 30 * MINUTE_MS,
    threshold_ms: 20 * MINUTE_MS,
  });
});

test("while waits prove nothing, none is too long and none is over; what else is wrong is found", () => {
  const rules = rulesWith({ waitsProveNothing: true });
  for (const runAfterMs of [ahead(1), ahead(99 * HOUR_MS)])
    expect(kindsOf(snapshotWith([pendingBatch({ runAfterMs })]), rules)).toEqual([]);
  expect(kindsOf(snapshotWith([processingBatch({ leaseExpiresAtMs: NOW })]), rules)).toEqual(["orphaned_batch"]);
});

test("a batch of races that is live beside the page of a list is stray, and no twin of it", () => {
  const page = pendingBatch({ number: 8, type: "discovery" });
  expect(kindsOf(snapshotWith([page, pendingBatch({ number: 9 })], DISCOVERY))).toEqual(["stray_batch"]);
});
