import { expect, test } from "bun:test";
import { diagnoseLeftRaces, diagnoseStranded } from "../../src/core/diagnose-ended.ts";
import { athleteId, batchId, epochMs, syncId } from "../../src/core/units.ts";

const NOW = epochMs(1_763_334_772_370);

test("batches that outlived their sync are cancelled, all of them by one remedy", () => {
  const stranded = { syncId: syncId(7), athleteId: athleteId(3), batchIds: [batchId(41), batchId(42)] };
  expect(diagnoseStranded(stranded, NOW)).toEqual({
    kind: "stray_batch",
    syncId: syncId(7),
    athleteId: athleteId(3),
    batchId: batchId(41),
    beganAtMs: NOW,
    evidence: { batches: 2, sync: "has ended" },
    message: "2 batches are live, but their sync has ended.",
    whyNotWaiting: "Batches of a sync that is not in progress are never claimed.",
    remedy: { do: "cancel_batches", batches: [{ batchId: batchId(41) }, { batchId: batchId(42) }] },
  });
});

test("of a sync that is gone nobody knows the athlete, and its batches go all the same", () => {
  const stranded = { syncId: syncId(7), athleteId: undefined, batchIds: [batchId(41), batchId(42)] };
  expect(diagnoseStranded(stranded, NOW)).toMatchObject({
    athleteId: 0,
    batchId: 41,
    evidence: { batches: 2, sync: "is gone" },
    message: "2 batches are live, but their sync is gone.",
  });
  expect(diagnoseStranded({ ...stranded, batchIds: [] }, NOW).batchId).toBeNull();
  const alone = { ...stranded, batchIds: [batchId(41)] };
  expect(diagnoseStranded(alone, NOW).message).toBe("A batch is live, but its sync is gone.");
});

test("races that a completed sync left get a sync of their own", () => {
  const left = { syncId: syncId(7), athleteId: athleteId(3), racesPending: 5, endedAtMs: NOW };
  expect(diagnoseLeftRaces(left)).toEqual({
    kind: "unfinished_races",
    syncId: syncId(7),
    athleteId: athleteId(3),
    batchId: null,
    beganAtMs: NOW,
    evidence: { races_pending: 5, completed_sync: 7 },
    message: "5 races need enrichment, but the athlete's last sync is completed.",
    whyNotWaiting: "No sync is in progress that could take them.",
    remedy: { do: "start_sync", athleteId: athleteId(3) },
  });
});
