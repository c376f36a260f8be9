import { remedyInWords } from "../../core/findings.ts";
import { INCIDENT_FORMAT, INCIDENT_VERSION, type Incident, type IncidentFinding } from "../../core/incident.ts";
import { QUOTA_BUDGETS, QUOTA_WINDOWS, windowStartMs } from "../../core/quota.ts";
import { type EpochMs, epochMs, plusMs, type SyncId } from "../../core/units.ts";
import { readDaemonStarts } from "../../db/daemon-starts.ts";
import {
  readBatchesOfSync,
  readFindingsOfSync,
  readLogOfSync,
  readNamesOf,
  readNewestSyncId,
  readRacesInSync,
} from "../../db/incident-rows.ts";
import { readLedger } from "../../db/quota.ts";
import type { SyncRow } from "../../db/schema.ts";
import { readSentences } from "../../db/stored-json.ts";
import { phaseOf, readSync } from "../../db/syncs.ts";
import type { SyncContext } from "../../sync/context.ts";
import { showBatch, showVanished } from "./batches.ts";
import { findGaps } from "./gaps.ts";
import {
  asTime,
  type History,
  INCIDENT_LIMITS,
  knownByMs,
  madeBy,
  numberOf,
  type Sighting,
  sightingOf,
} from "./history.ts";
import { showPhases } from "./phases.ts";
import { type Binding, bindRaces, showRaces } from "./races.ts";
import { findVanished, type VanishedBatch } from "./vanished.ts";
import { createScrub, type Scrub } from "./words.ts";

/** What an export must be told: the database does not hold it. */
export type IncidentSetting = {
  readonly config: Incident["config"];
  readonly programVersion: string;
  readonly lastCheckAtMs: EpochMs | null;
};

/**
 * Writes down what happened in a sync, as far as the database tells; undefined when there is no such sync. Inside a read
 * transaction. Holds no token, no name, nothing of a race's contents, and no id of Strava's.
 */
export function exportIncident(context: SyncContext, id: SyncId, setting: IncidentSetting): Incident | undefined {
  const { db, clock } = context;
  const sync = readSync(db, id);
  if (sync === undefined) return undefined;
  const newestSyncId = readNewestSyncId(db, sync.athleteId);
  const race = { id, athleteId: sync.athleteId, isNewest: newestSyncId === id };
  const history: History = {
    sync,
    batches: readBatchesOfSync(db, id, INCIDENT_LIMITS.batches),
    races: readRacesInSync(db, race, INCIDENT_LIMITS.races),
    log: readLogOfSync(db, id, INCIDENT_LIMITS.logLines),
    sightings: readFindingsOfSync(db, id, INCIDENT_LIMITS.findings).map(sightingOf),
    exportedAtMs: clock.nowMs(),
    leaseMs: setting.config.lease_ms,
    maxAttempts: setting.config.max_attempts,
  };
  const scrub = createScrub(readNamesOf(db, sync.athleteId));
  const vanished = findVanished(history);
  const bound = bindRaces(history, vanished);
  const batches = [
    ...history.batches.map((batch) => showBatch(history, batch, scrub)),
    ...vanished.map((batch) => showVanished(history, batch, goneAtMs(history, batch, bound))),
  ].sort((a, b) => a.id - b.id);
  const lastStates = new Map(batches.map(({ id: batchId, states }) => [batchId, states.at(-1)]));
  const starts = readDaemonStarts(db);
  return {
    format: INCIDENT_FORMAT,
    version: INCIDENT_VERSION,
    program_version: setting.programVersion,
    exported_at: history.exportedAtMs,
    config: setting.config,
    sync: showSync(history, scrub),
    batches,
    races: showRaces(history, bound, { lastStates, scrub }),
    findings: history.sightings.map((sighting) => showFinding(sighting, scrub)),
    log: history.log.map((line) => ({
      at: line.atMs,
      level: asLevel(line.level),
      event: line.event,
      message: scrub(line.message),
      batch_id: line.batchId,
      trace_id: line.traceId,
    })),
    quota: showQuota(context, sync),
    daemon: {
      starts: [...new Set([...starts, ...restartsFound(history)])].sort((a, b) => a - b),
      last_check_at: setting.lastCheckAtMs,
      claimless: history.sightings.flatMap(claimlessStretch),
    },
    gaps: findGaps(history, { batches, vanished: vanished.length, isNewest: race.isNewest, starts }),
  };
}

/** A batch was live, as far as anybody knows, until the last of its races was given to another, or a check saw it missing. */
function goneAtMs(
  history: History,
  batch: VanishedBatch,
  bound: ReadonlyMap<History["races"][number], readonly Binding[]>,
): EpochMs {
  let gone: EpochMs | undefined;
  for (const bindings of bound.values()) {
    const place = bindings.findIndex(({ batchId }) => batchId === batch.id);
    const next = place === -1 ? undefined : bindings[place + 1]?.atMs;
    if (next !== undefined && (gone === undefined || next > gone)) gone = next;
  }
  if (gone === undefined) return knownByMs(history, batch.createdAtMs);
  return seenUnservedMs(history, batch.createdAtMs, gone) ?? gone;
}

/** When a check saw races without a batch, and nothing was done about it until they got one. */
function seenUnservedMs({ sightings }: History, afterMs: number, untilMs: number): EpochMs | undefined {
  const seen = sightings.find((sighting) => {
    const { atMs, remediedAtMs, unserved } = sighting;
    const isOpen = remediedAtMs === undefined || remediedAtMs >= untilMs;
    return atMs > afterMs && atMs < untilMs && isOpen && unserved > 0;
  });
  return seen?.atMs;
}

function showSync(history: History, scrub: Scrub): Incident["sync"] {
  const { sync, log } = history;
  const endedAt = sync.status === "in_progress" ? null : (asTime(sync.completedAtMs) ?? history.exportedAtMs);
  const isLogged = log.some(({ event }) => event === `sync.${sync.status}`);
  return {
    id: String(sync.id),
    mode: sync.mode,
    class: sync.class,
    started_at: sync.startedAtMs,
    status: sync.status,
    ended_at: endedAt === null ? null : Math.max(endedAt, sync.startedAtMs),
    ended_by: endedAt === null ? null : isLogged ? madeBy(history, endedAt) : "unknown",
    error: sync.error === null ? null : scrub(sync.error),
    warnings: readSentences(sync.warnings).map(scrub),
    activities_listed: sync.activitiesListed,
    races_enriched: sync.racesEnriched,
    races_failed: sync.racesFailed,
    requests: sync.requests,
    batches_completed: sync.batchesCompleted,
    last_activity_at: sync.lastActivityAtMs,
    last_progress_at: sync.lastProgressAtMs,
    trace_id: sync.traceId,
    phases: showPhases({ ...history, sync: { ...sync, phase: phaseOf(sync) } }),
    pauses: log
      .filter(({ event }) => event === "sync.paused" || event === "sync.resumed")
      .map(({ event, atMs: at }) => ({ at, paused: event === "sync.paused" })),
  };
}

function showFinding({ finding, evidence, remedy }: Sighting, scrub: Scrub): IncidentFinding {
  const facts = Object.entries(evidence).flatMap(([name, value]): [string, number | string | null][] => {
    if (typeof value === "string") return [[name, scrub(value)]];
    return typeof value === "number" || value === null ? [[name, value]] : [];
  });
  return {
    id: finding.id,
    kind: finding.kind,
    batch_id: finding.batchId,
    began_at: asTime(finding.beganAtMs),
    detected_at: finding.detectedAtMs,
    message: scrub(finding.message),
    evidence: Object.fromEntries(facts),
    // In words: the remedy itself names lease tokens.
    remedy: remedy === undefined ? null : remedyInWords(remedy),
    remedied_at: finding.remediedAtMs,
    outcome: finding.outcome,
    settled_at: finding.settledAtMs,
    own_restart: finding.ownRestart === 1,
    false_remedy: finding.falseRemedy === 1,
    trace_id: finding.traceId,
  };
}

function showQuota({ db, governor }: SyncContext, sync: SyncRow): Incident["quota"] {
  const { quota, skewMs, appHold } = governor.view();
  const hold = appHold ?? governor.hold(sync.class);
  const windows = QUOTA_BUDGETS.flatMap((budget) =>
    QUOTA_WINDOWS.map((window) => {
      const { startsAtMs, limit, used } = quota[budget][window];
      const name = window === "quarter" ? ("15min" as const) : ("day" as const);
      return { budget, window: name, starts_at: plusMs(startsAtMs, -skewMs), limit, used };
    }),
  );
  const requests = readLedger(db, windowStartMs("day", plusMs(sync.startedAtMs, skewMs)))
    .filter(({ athleteId, dayStartMs }) => athleteId === sync.athleteId && dayStartMs <= (sync.completedAtMs ?? LATE))
    .map(({ dayStartMs, phase, status, requests: count }) => ({ day_at: dayStartMs, phase, status, requests: count }));
  return { windows, hold: hold === undefined ? null : { reason: hold.reason, until: hold.untilMs }, requests };
}
const LATE = epochMs(Number.MAX_SAFE_INTEGER);

/** What a former process left is taken up at the start: so there was one. */
function restartsFound({ sightings }: History): readonly EpochMs[] {
  return sightings.filter(({ finding }) => finding.ownRestart === 1).map(({ atMs }) => atMs);
}

function claimlessStretch(sighting: Sighting): Incident["daemon"]["claimless"] {
  const since = numberOf(sighting, "no_claim_for_ms");
  return since === undefined ? [] : [{ from: sighting.atMs - since, until: sighting.atMs }];
}

const LEVELS = ["debug", "info", "warn", "error"] as const;
const asLevel = (level: string) => LEVELS.find((known) => known === level) ?? "info";
