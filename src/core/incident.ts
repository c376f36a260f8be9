/**
 * The incident file: what happened in one sync, as a timeline that can be handed on and replayed. It holds our own ids,
 * counts, times and words; no token, no name, nothing of a race's contents, and no id of Strava's.
 *
 * Times are `…_at`, milliseconds since the epoch, UTC. A timeline's entry says what held from `at` on. `by: "remedy"`
 * means that a remedy of a health check made it so at that very moment: the check itself still saw what was before.
 */
import { facts, flag, listOf, moment, orNull, record, type Shaped, text, whole, word } from "./shape.ts";

export const INCIDENT_FORMAT = "broomwagon.incident";
export const INCIDENT_VERSION = 1;

const PHASE = word(["discovery", "enrichment"]);
/** Who made it so: the daemon in its work, a remedy, a person; `unknown`: the rows tell only that it is so. */
const BY = word(["daemon", "remedy", "person", "unknown"]);
const HOLD_REASONS = ["quota_15min", "quota_daily", "quota_reserve", "strava_unavailable", "app_inactive"] as const;
const WAIT_REASON = word([...HOLD_REASONS, "backoff"]);

const CONFIG = record(
  {
    stall_after_discovery_ms: whole("No progress for so long is a stall, in discovery.", 1),
    stall_after_enrichment_ms: whole("The same, in enrichment.", 1),
    lease_ms: whole("How long a lease lasts without a heartbeat.", 1),
    enrichment_batch_size: whole("Races a batch.", 1),
    max_attempts: whole("Of a batch.", 1),
    max_remedies: whole("Of a sync, in a day.", 0),
    concurrency: whole("Batches at once.", 1),
    healing: word(["automatic", "suggest"]),
    health_period_ms: whole("From one health check to the next.", 1),
    processor_cron: text("Empty: never."),
    health_cron: text("Empty: never."),
    full_sync_cron: text("Empty: never."),
    incremental_sync_cron: text("Empty: never."),
    timezone: text("Of the patterns."),
  },
  "The settings that decide what is a stall and what is done about it, at the time of the export.",
);

const SYNC = record({
  id: text(),
  mode: word(["full", "incremental"]),
  class: word(["manual", "event", "connect", "schedule"]),
  started_at: moment("When it started."),
  status: word(["in_progress", "completed", "failed", "cancelled"]),
  ended_at: orNull(moment("When it ended.")),
  ended_by: orNull(BY),
  error: orNull(text()),
  warnings: listOf(text()),
  activities_listed: whole(),
  races_enriched: whole("Known once it has ended."),
  races_failed: whole("Known once it has ended."),
  requests: whole(),
  batches_completed: whole("That ever completed; a hand may have deleted some since."),
  last_activity_at: moment("When anything happened last."),
  last_progress_at: moment("When a page was stored or a race settled last."),
  trace_id: orNull(text()),
  phases: listOf(record({ at: moment("From then on."), phase: PHASE, list_complete: flag(), by: BY })),
  pauses: listOf(record({ at: moment("From then on."), paused: flag() })),
});

const BATCH_STATE = record({
  at: moment("From then on."),
  status: word(
    ["pending", "processing", "completed", "failed", "cancelled", "gone"],
    "`gone`: a hand deleted the row.",
  ),
  by: BY,
  attempts: whole(),
  run_after: orNull(moment("Pending: when it is due.")),
  wait_reason: orNull(WAIT_REASON),
  waits_until: orNull(moment("Pending: the moment that it waits for.")),
  leased_at: orNull(moment("Processing: when it was claimed.")),
  lease: orNull(word(["renewed", "fixed", "none"], "Processing: `renewed` by heartbeats as long as this lasts.")),
  lease_expires_at: orNull(moment("Processing, `fixed`: when the lease ends.")),
});

const BATCH = record({
  id: whole("Unknown batches, of which no row is left, are counted from -1 down."),
  number: orNull(whole("Within the sync; null where no row is left.")),
  type: PHASE,
  size: whole("Races it was made for; 1 in discovery."),
  runs: whole("Executions; each was a trace."),
  deaths: whole("Deaths of the daemon during it, in a row."),
  exhausted: flag("It failed by its own doing, for good."),
  error: orNull(text()),
  created_at: moment("When it was made."),
  started_at: orNull(moment("When it was first claimed.")),
  heartbeat_at: orNull(moment("Its worker's last sign of life.")),
  ended_at: orNull(moment("When it ended, as its row says.")),
  requests: whole(),
  activities_fetched: whole(),
  races_added: whole(),
  races_enriched: whole(),
  races_failed: whole(),
  trace_id: orNull(text("Of its newest run.")),
  states: listOf(BATCH_STATE),
});

const RACE = record({
  number: whole("Made up for this file.", 1),
  pending_at: moment("Since when it needed enrichment."),
  bound: listOf(record({ at: moment("From then on."), batch_id: whole(), by: BY }), "Which batch was to take it."),
  settled_at: orNull(moment("When it needed none any more; null: it still does.")),
  settled: orNull(word(["enriched", "unavailable", "failed"])),
  settled_by: orNull(BY),
  is_time_known: flag("False: settled at that time at the latest."),
  attempts: whole(),
  error: orNull(text()),
});

const FINDING = record({
  id: whole(),
  kind: text(),
  batch_id: orNull(whole()),
  began_at: orNull(moment("Since when, as far as the rows tell.")),
  detected_at: moment("When a check found it."),
  message: text(),
  evidence: facts("The numbers that crossed which threshold."),
  remedy: orNull(text("What was done, or proposed, in words.")),
  remedied_at: orNull(moment("When it was applied; null: it never was.")),
  outcome: word(["proposed", "pending", "verified", "failed", "superseded"]),
  settled_at: orNull(moment("When the outcome was known.")),
  own_restart: flag("A restart of the daemon itself made it necessary."),
  false_remedy: flag("Its target turned out to have been alive."),
  trace_id: orNull(text()),
});

const LOG_LINE = record({
  at: moment("When it happened."),
  level: word(["debug", "info", "warn", "error"]),
  event: text(),
  message: text(),
  batch_id: orNull(whole()),
  trace_id: orNull(text()),
});

const QUOTA = record(
  {
    windows: listOf(
      record({
        budget: word(["overall", "read"]),
        window: word(["15min", "day"]),
        starts_at: moment("Its beginning."),
        limit: whole(),
        used: whole(),
      }),
    ),
    hold: orNull(record({ reason: word(HOLD_REASONS), until: moment("When it ends.") })),
    requests: listOf(
      record({
        day_at: moment("The day's beginning, by Strava's clock."),
        phase: text(),
        status: whole(),
        requests: whole(),
      }),
      "Of this athlete, in the days of the sync; status 0: no answer.",
    ),
  },
  "Strava's quota at the time of the export.",
);

const DAEMON = record({
  starts: listOf(moment("A start of the daemon."), "Starts that are known."),
  last_check_at: orNull(moment("The end of the last health check before the export.")),
  claimless: listOf(
    record({ from: moment("The last claim before."), until: moment("Still none then.") }),
    "Stretches in which the processor is known to have claimed nothing.",
  ),
});

/** The whole file. */
export const INCIDENT = record({
  format: word([INCIDENT_FORMAT]),
  version: whole(),
  program_version: text("Of the program that wrote it."),
  exported_at: moment("When it was written: it tells nothing of what came after."),
  config: CONFIG,
  sync: SYNC,
  batches: listOf(BATCH, "By id."),
  races: listOf(RACE, "Races that needed enrichment while the sync ran."),
  findings: listOf(FINDING, "The oldest first."),
  log: listOf(LOG_LINE, "The oldest first."),
  quota: QUOTA,
  daemon: DAEMON,
  gaps: listOf(text(), "What this file cannot tell."),
});
export type Incident = Shaped<typeof INCIDENT>;
export type IncidentBatch = Incident["batches"][number];
export type IncidentBatchState = IncidentBatch["states"][number];
export type IncidentRace = Incident["races"][number];
export type IncidentFinding = Incident["findings"][number];
export type IncidentPhase = Incident["sync"]["phases"][number];
export type MadeBy = IncidentBatchState["by"];

export type ReadIncident =
  | { readonly ok: true; readonly incident: Incident }
  /** Every problem at once, each with its place. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads an incident file. Whatever is wrong with it is told, all at once. */
export function readIncident(value: unknown): ReadIncident {
  const wrongKind = whyNotOurs(value);
  if (wrongKind !== undefined) return { ok: false, problems: [wrongKind] };
  const problems: string[] = [];
  const incident = INCIDENT.read(value, "", problems);
  if (problems.length > 0) return { ok: false, problems };
  const contradictions = findContradictions(incident);
  return contradictions.length > 0 ? { ok: false, problems: contradictions } : { ok: true, incident };
}

/** Of another kind, or of another version, its fields mean nothing to us: that alone is worth saying. */
function whyNotOurs(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("format" in value) || value.format !== INCIDENT_FORMAT)
    return `It is no incident file: "format" is not ${JSON.stringify(INCIDENT_FORMAT)}.`;
  const version = "version" in value ? value.version : undefined;
  if (version === INCIDENT_VERSION) return undefined;
  return `It is of version ${JSON.stringify(version) ?? "nothing"}, and this program reads version ${INCIDENT_VERSION}.`;
}

function findContradictions({ sync, batches, races, exported_at: exportedAt }: Incident): string[] {
  const problems: string[] = [];
  const inOrder = (list: readonly { readonly at: number }[], place: string): void => {
    list.forEach(({ at }, index) => {
      if (at < (list[index - 1]?.at ?? 0)) problems.push(`${place}[${index}].at: earlier than the entry before it`);
    });
  };
  if (sync.started_at > exportedAt) problems.push("sync.started_at: later than exported_at");
  if ((sync.status === "in_progress") !== (sync.ended_at === null))
    problems.push("sync.ended_at: must be there exactly when the sync is not in progress");
  if (sync.ended_at !== null && sync.ended_at < sync.started_at) problems.push("sync.ended_at: before sync.started_at");
  if (sync.phases.length === 0) problems.push("sync.phases: must say in which phase it began");
  inOrder(sync.phases, "sync.phases");
  inOrder(sync.pauses, "sync.pauses");
  const ids = new Set<number>();
  batches.forEach(({ id, states }, index) => {
    if (ids.has(id)) problems.push(`batches[${index}].id: ${id} is there twice`);
    ids.add(id);
    if (states.length === 0) problems.push(`batches[${index}].states: must not be empty`);
    inOrder(states, `batches[${index}].states`);
  });
  races.forEach((race, index) => {
    inOrder(race.bound, `races[${index}].bound`);
    for (const { batch_id: id } of race.bound)
      if (!ids.has(id)) problems.push(`races[${index}].bound: there is no batch ${id}`);
    if ((race.settled_at === null) !== (race.settled === null))
      problems.push(`races[${index}].settled: must be there exactly when settled_at is`);
  });
  return problems;
}
