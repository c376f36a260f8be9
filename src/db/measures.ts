import { type Finding, knownKind } from "../core/findings.ts";
import { type Bucket, bucketOf } from "../core/histogram.ts";
import { DAY_MS, type EpochMs } from "../core/units.ts";
import { addToCounter, type HealingMeasure } from "./counters.ts";
import type { Db } from "./open.ts";
import type { FindingRow } from "./schema.ts";

/** A stall was detected: counted with the time that it took, in the transaction that stores the finding. */
export function countStall(db: Db, { kind, beganAtMs }: Pick<Finding, "kind" | "beganAtMs">, nowMs: EpochMs): void {
  const tookMs = durationOf(nowMs - beganAtMs);
  count(db, "stalls_detected", kind, 1, nowMs);
  count(db, "detect_ms", kind, tookMs, nowMs);
  count(db, `detect_le:${bucketOf(tookMs)}`, kind, 1, nowMs);
}

/** A remedy was applied, by the healer or by a person. */
export function countApplied(db: Db, kind: string, nowMs: EpochMs): void {
  count(db, "remedies_applied", kind, 1, nowMs);
}

/** A finding is settled: a verified one with the time from its detection to the proof of its repair. */
export function countVerdict(
  db: Db,
  { kind, detectedAtMs }: Pick<FindingRow, "kind" | "detectedAtMs">,
  verdict: "verified" | "failed" | "superseded",
  nowMs: EpochMs,
): void {
  count(db, `remedies_${verdict}`, kind, 1, nowMs);
  if (verdict !== "verified") return;
  const tookMs = durationOf(nowMs - detectedAtMs);
  count(db, "repair_ms", kind, tookMs, nowMs);
  count(db, `repair_le:${bucketOf(tookMs)}`, kind, 1, nowMs);
}

/** A remedy took its batch from a worker that was alive. */
export function countFalseRemedy(db: Db, kind: string, nowMs: EpochMs): void {
  count(db, "false_remedies", kind, 1, nowMs);
}

/** A hand may have written any moment into a row: the sum must stay an integer. */
const durationOf = (ms: number): number => Math.min(Math.max(0, ms), LONGEST_MS);
/** Longer than any club has been there. */
const LONGEST_MS = 3_650 * DAY_MS;

/** In all, and by kind. A hand may have written any word into a row: kinds stay few. */
function count(
  db: Db,
  measure: HealingMeasure | `${"detect" | "repair"}_le:${Bucket}`,
  kind: string,
  amount: number,
  nowMs: EpochMs,
): void {
  addToCounter(db, measure, amount, nowMs);
  addToCounter(db, `${measure}:${knownKind(kind)}`, amount, nowMs);
}
