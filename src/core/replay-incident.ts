import { diagnose } from "./diagnose.ts";
import { diagnoseLeftRaces, diagnoseStranded } from "./diagnose-ended.ts";
import { type Finding, remedyInWords } from "./findings.ts";
import type { Incident } from "./incident.ts";
import { isInProgressAt, type ReplayRules, rulesAt, snapshotAt } from "./replay.ts";
import type { HealingMode } from "./status.ts";
import { type EpochMs, epochMs, syncId } from "./units.ts";

/** How an incident is replayed: with the thresholds and the mode of its file, unless told otherwise. */
export type ReplayOptions = {
  readonly rules: ReplayRules;
  readonly healing: HealingMode;
  /** From one check to the next. Checks are on whole multiples, as by the clock, and when a check found something. */
  readonly everyMs: number;
};

/** One thing that is wrong, from the first check that finds it to the last one in a row. */
export type ReplayedTrouble = {
  readonly kind: string;
  readonly beganAtMs: EpochMs;
  readonly foundAtMs: EpochMs;
  /** The last check in a row that finds it. */
  readonly lastFoundAtMs: EpochMs;
  readonly checks: number;
  /** The first check that finds it no more; undefined: it is there at the end of the file. */
  readonly goneAtMs: EpochMs | undefined;
  readonly batchId: number | null;
  readonly message: string;
  readonly evidence: Finding["evidence"];
  readonly whyNotWaiting: string;
  readonly remedy: string;
  /** Applied at once, or proposed to a person. */
  readonly would: "apply" | "propose";
};

export type Replay = {
  readonly fromMs: EpochMs;
  readonly untilMs: EpochMs;
  readonly checks: number;
  readonly options: ReplayOptions;
  /** In the order in which they are found. */
  readonly troubles: readonly ReplayedTrouble[];
};

/** More checks than that is a slip of the hand. */
export const CHECKS_MAX = 100_000;

/** The thresholds, the mode and the rhythm that the file says were in force. */
export function optionsOf({ config }: Incident): ReplayOptions {
  return {
    rules: {
      stallAfterDiscoveryMs: config.stall_after_discovery_ms,
      stallAfterEnrichmentMs: config.stall_after_enrichment_ms,
    },
    healing: config.healing,
    everyMs: config.health_period_ms,
  };
}

/** How many checks a replay takes, about. */
export function countChecks(incident: Incident, everyMs: number): number {
  const [from, until] = spanOf(incident);
  return Math.floor((until - from) / everyMs) + incident.findings.length + 1;
}

/**
 * Runs the diagnosis over what happened, check by check. Nothing is made up: each check sees what really was, remedies of
 * the time included, so what would have followed from another remedy is not in it. Pure: the same file gives the same.
 */
export function replayIncident(incident: Incident, options: ReplayOptions = optionsOf(incident)): Replay {
  const moments = momentsOf(incident, options.everyMs);
  const troubles: ReplayedTrouble[] = [];
  let open: ReplayedTrouble | undefined;
  for (const nowMs of moments) {
    const found = findingsAt(incident, nowMs, options.rules)[0];
    if (open !== undefined && (found === undefined || !isSame(found, open))) {
      troubles.push({ ...open, goneAtMs: nowMs });
      open = undefined;
    }
    if (found === undefined) continue;
    if (open === undefined) open = troubleOf(found, nowMs, options.healing);
    else open = { ...open, lastFoundAtMs: nowMs, checks: open.checks + 1 };
  }
  if (open !== undefined) troubles.push(open);
  const [fromMs, untilMs] = spanOf(incident);
  return { fromMs, untilMs, checks: moments.length, options, troubles };
}

/** What a health check at that moment finds, most urgent first. */
export function findingsAt(incident: Incident, nowMs: EpochMs, rules: ReplayRules): readonly Finding[] {
  if (nowMs < incident.sync.started_at) return [];
  const snapshot = snapshotAt(incident, nowMs);
  if (isInProgressAt(incident, nowMs)) return diagnose(snapshot, rulesAt(incident, nowMs, rules));
  const batchIds = snapshot.liveBatches.map(({ id }) => id);
  const { syncId: id, athleteId } = snapshot;
  const stranded = batchIds.length === 0 ? [] : [diagnoseStranded({ syncId: id, athleteId, batchIds }, nowMs)];
  const { racesPending } = snapshot.plan;
  if (incident.sync.status !== "completed" || racesPending === 0) return stranded;
  const endedAtMs = epochMs(incident.sync.ended_at ?? nowMs);
  return [...stranded, diagnoseLeftRaces({ syncId: syncId(id), athleteId, racesPending, endedAtMs })];
}

/** From the start to the end of the sync, or of what is known; and on to what was found after that. */
function spanOf({ sync, findings, exported_at: exportedAt }: Incident): [from: EpochMs, until: EpochMs] {
  const last = Math.max(sync.ended_at ?? exportedAt, ...findings.map(({ detected_at: at }) => at));
  return [epochMs(sync.started_at), epochMs(Math.min(last, exportedAt))];
}

function momentsOf(incident: Incident, everyMs: number): readonly EpochMs[] {
  const [from, until] = spanOf(incident);
  const moments = new Set<EpochMs>();
  for (let at = Math.ceil(from / everyMs) * everyMs; at <= until; at += everyMs) moments.add(epochMs(at));
  for (const { detected_at: at } of incident.findings) if (at >= from && at <= until) moments.add(epochMs(at));
  moments.add(until);
  return [...moments].sort((a, b) => a - b);
}

function isSame(found: Finding, open: ReplayedTrouble): boolean {
  return found.kind === open.kind && found.batchId === open.batchId;
}

function troubleOf(found: Finding, nowMs: EpochMs, healing: HealingMode): ReplayedTrouble {
  return {
    kind: found.kind,
    beganAtMs: found.beganAtMs,
    foundAtMs: nowMs,
    lastFoundAtMs: nowMs,
    checks: 1,
    goneAtMs: undefined,
    batchId: found.batchId,
    message: found.message,
    evidence: found.evidence,
    whyNotWaiting: found.whyNotWaiting,
    remedy: remedyOf(found),
    would: healing === "suggest" ? "propose" : "apply",
  };
}

/** In words, and how many batches it comes to. */
function remedyOf({ remedy, evidence }: Finding): string {
  const batches = evidence.batches_to_create;
  const words = remedyInWords(remedy);
  return typeof batches === "number" ? `${words} (${batches === 1 ? "1 batch" : `${batches} batches`})` : words;
}
