import { expect, test } from "bun:test";
import { FINDING_KINDS, knownKind, type Remedy, remedyInWords } from "../../src/core/findings.ts";
import type { OwnRemedy } from "../../src/core/own-findings.ts";
import { athleteId, batchId, epochMs, leaseToken } from "../../src/core/units.ts";

test("kinds keep their names: rows, dashboards and scripts go by them", () => {
  expect(FINDING_KINDS.join(" ")).toBe(
    "missing_enrichment_batches missing_discovery_batch unfinished_completion orphaned_batch impossible_lease " +
      "exhausted_batches no_progress waiting_past_reset far_wait stray_batch stray_race twin_batches unfinished_races " +
      "queued_too_long left_by_former_process slow_check failed_check schedule_overdue",
  );
});

test("a kind is counted under its own name, and what no program wrote under one name for all", () => {
  expect(FINDING_KINDS.map(knownKind)).toEqual([...FINDING_KINDS]);
  expect(["", "no_progres", "toString"].map(knownKind)).toEqual(["other", "other", "other"]);
});

const [one, two] = [{ batchId: batchId(41) }, { batchId: batchId(42) }];
const leased = { leaseToken: leaseToken("lease"), attempts: 0 };
const waiting = { runAfterMs: epochMs(0) };

test.each<[Remedy | OwnRemedy, string]>([
  [{ do: "replan" }, "plan again: create what is missing, or complete the sync"],
  [{ do: "sweep_leases", batches: [{ ...one, ...leased }] }, "put batch 41 back to pending, one attempt spent each"],
  [{ do: "abort_run", ...one, ...leased }, "abort the run of batch 41 and release it, one attempt spent"],
  [{ do: "make_due", batches: [{ ...one, ...waiting }] }, "make batch 41 due"],
  [{ do: "cancel_batches", batches: [one, two] }, "cancel 2 batches"],
  [{ do: "unbind_races" }, "unbind those races, and create batches for them"],
  [{ do: "start_sync", athleteId: athleteId(3) }, "start a sync over the races that are left"],
  [{ do: "wake_processor" }, "wake the batch processor"],
  [{ do: "run_jobs", jobs: ["health-check", "alerts"] }, "run health-check, alerts, by the catch-up policy"],
])("%j is said in words", (remedy, words) => {
  expect(remedyInWords(remedy)).toBe(words);
});
