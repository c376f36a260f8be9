import type { DiagnosisRules } from "./diagnosis-rules.ts";
import type { Finding, FindingKind } from "./findings.ts";
import { planNextStep, type Step } from "./plan.ts";
import type { StrayRaces, SyncSnapshot } from "./snapshot.ts";

/** What the plan says is missing, or done and not marked done; the first step only, since the others follow from it. */
export function diagnosePlan(snapshot: SyncSnapshot, rules: DiagnosisRules): Finding[] {
  if (snapshot.isPaused) return [];
  const step = planNextStep(snapshot.plan, rules);
  if (step === undefined) return [];
  const strays = strayRacesBehind(step, snapshot);
  if (strays !== undefined) return [strayRaces(snapshot, strays)];
  const { kind, message } = describeStep(step, snapshot);
  return [
    {
      syncId: snapshot.syncId,
      athleteId: snapshot.athleteId,
      batchId: null,
      kind,
      beganAtMs: snapshot.lastProgressAtMs,
      evidence: {
        phase: snapshot.plan.phase,
        races_pending: snapshot.plan.racesPending,
        races_unserved: snapshot.plan.unserved.reduce((sum, group) => sum + group.count, 0),
        live_batches: snapshot.plan.liveBatches,
        total_batches: snapshot.counts.total,
        completed_batches: snapshot.counts.completed,
        failed_batches: snapshot.counts.failed,
        step: step.step,
        batches_to_create: step.step === "create_enrichment_batches" ? step.batches : null,
      },
      message,
      whyNotWaiting: "No live batch will do this, so no time that passes can move it.",
      remedy: { do: "replan" },
    },
  ];
}

/**
 * All races that nothing will take are bound to batches which will never take them, while others of the sync go on: then no batch is
 * missing. (Where nothing is live, batches are, whatever the races say.)
 */
function strayRacesBehind(step: Step, snapshot: SyncSnapshot): StrayRaces | undefined {
  const { strayRaces, plan } = snapshot;
  if (step.step !== "create_enrichment_batches" || step.exhaustedSize !== undefined) return undefined;
  return plan.liveBatches > 0 && strayRaces?.count === step.count ? strayRaces : undefined;
}

function strayRaces(snapshot: SyncSnapshot, { count, batchId }: StrayRaces): Finding {
  return {
    syncId: snapshot.syncId,
    athleteId: snapshot.athleteId,
    batchId,
    kind: "stray_race",
    beganAtMs: snapshot.lastProgressAtMs,
    evidence: {
      races_stray: count,
      races_pending: snapshot.plan.racesPending,
      live_batches: snapshot.plan.liveBatches,
    },
    message: `${count} races need enrichment, but are bound to a batch that has ended or is not of this sync.`,
    whyNotWaiting: "The batch that they are bound to will never take them, and no other one knows of them.",
    remedy: { do: "unbind_races" },
  };
}

function describeStep(step: Step, snapshot: SyncSnapshot): { kind: FindingKind; message: string } {
  const { racesPending, liveBatches } = snapshot.plan;
  switch (step.step) {
    case "create_discovery_batch":
    case "return_to_discovery":
      return {
        kind: "missing_discovery_batch",
        message: "The athlete's list is not complete, and no live batch reads on.",
      };
    case "create_enrichment_batches":
      if (step.exhaustedSize !== undefined) {
        return {
          kind: "exhausted_batches",
          message: `${step.count} races are left of batches that failed for good; ${step.batches} smaller batches of up to ${step.batchSize} can find the one that fails.`,
        };
      }
      return {
        kind: "missing_enrichment_batches",
        message: `${step.count} races need enrichment and no live batch will take them (${snapshot.counts.completed} of ${snapshot.counts.total} batches completed, ${liveBatches} live).`,
      };
    case "fail_exhausted_races":
      return { kind: "exhausted_batches", message: `${step.count} races failed for good even alone in their batch.` };
    case "fail":
      return { kind: "exhausted_batches", message: `Discovery failed for good: ${step.reason.replace(/\.?$/, ".")}` };
    case "enter_enrichment":
      return racesPending > 0
        ? {
            kind: "missing_enrichment_batches",
            message: `The list is complete, ${racesPending} races need enrichment, and nothing is live.`,
          }
        : {
            kind: "unfinished_completion",
            message: "The list is complete and nothing is left to do, but the sync is still in progress.",
          };
    case "complete":
      return { kind: "unfinished_completion", message: "Nothing is left to do, but the sync is still in progress." };
    default:
      return step satisfies never;
  }
}
