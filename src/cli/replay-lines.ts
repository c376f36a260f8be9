import { formatDuration } from "../core/duration.ts";
import type { Incident } from "../core/incident.ts";
import { optionsOf, type Replay, type ReplayedTrouble } from "../core/replay-incident.ts";
import { type Paint, plainText } from "./paint.ts";
import { counted } from "./sync-line.ts";
import { spellDuration } from "./time-words.ts";

/** What a replay found, change by change, and what the file cannot tell. Times are UTC: the same file, the same lines. */
export function renderReplay(incident: Incident, replay: Replay, paint: Paint): string {
  return [
    ...renderHead(incident, replay),
    "",
    ...(replay.troubles.length === 0
      ? ["No check finds anything wrong."]
      : replay.troubles.flatMap((trouble) => [...renderTrouble(trouble, paint), ""])),
    ...renderComparison(incident, replay, paint),
    "",
    paint.bold("What the file cannot tell:"),
    ...[...incident.gaps, ...LIMITS].map((gap) => `  - ${plainText(gap)}`),
  ].join("\n");
}

/** True of every replay. */
const LIMITS = [
  "What would have followed from another remedy: each check sees what really was, the remedies of the time included.",
  "Other syncs: whether all workers were busy, the daemon paused or requests held back then. So a batch that nobody claims is found only where the file says that nothing was claimed.",
];

function renderHead(incident: Incident, { fromMs, untilMs, checks, options }: Replay): string[] {
  const { sync, exported_at: exportedAt, program_version: version } = incident;
  const kept = optionsOf(incident);
  const { stallAfterDiscoveryMs, stallAfterEnrichmentMs } = options.rules;
  const against = (value: string, then: string) => (value === then ? value : `${value} (it was ${then})`);
  const duration = (ms: number, thenMs: number) => against(formatDuration(ms), formatDuration(thenMs));
  const end = sync.ended_at === null ? "still in progress" : `${sync.status} ${utc(sync.ended_at)}`;
  return [
    `Sync ${plainText(sync.id)} (${sync.mode}, ${sync.class}): started ${utc(sync.started_at)}, ${end}.`,
    `Written ${utc(exportedAt)} by Broomwagon ${plainText(version)}: ${counted(incident.batches.length, "batch", "batches")}, ${counted(incident.races.length, "race")}, ${counted(incident.findings.length, "finding")}.`,
    `Replayed with a stall after ${duration(stallAfterDiscoveryMs, kept.rules.stallAfterDiscoveryMs)} in discovery and ${duration(stallAfterEnrichmentMs, kept.rules.stallAfterEnrichmentMs)} in enrichment, healing ${against(options.healing, kept.healing)},`,
    `  a check every ${duration(options.everyMs, kept.everyMs)}: ${counted(checks, "check")} from ${utc(fromMs)} to ${utc(untilMs)}.`,
  ];
}

function renderTrouble(trouble: ReplayedTrouble, paint: Paint): string[] {
  const { kind, foundAtMs, lastFoundAtMs, goneAtMs, checks, evidence, remedy, would } = trouble;
  const numbers = Object.entries(evidence).map(([name, value]) => `${name} ${value}`);
  const again = checks === 1 ? "by one check" : `by ${checks} checks in a row, until ${utc(lastFoundAtMs)}`;
  return [
    `${utc(foundAtMs)}  ${paint.bold(plainText(kind))}`,
    `  ${plainText(trouble.message)}`,
    `  ${paint.dim("Evidence:")} ${plainText(numbers.join(", "))}`,
    `  ${paint.dim("Not just waiting:")} ${plainText(trouble.whyNotWaiting)}`,
    `  ${paint.dim(would === "propose" ? "Would have proposed:" : "Would have done:")} ${plainText(remedy)}`,
    `  ${paint.dim("Found")} ${again}${goneAtMs === undefined ? "; it is there at the end." : `; gone ${utc(goneAtMs)}.`}`,
  ];
}

/** The first finding against what happened then. */
function renderComparison({ sync, findings }: Incident, { troubles, untilMs }: Replay, paint: Paint): string[] {
  const recorded = findings.map(({ kind, detected_at: at, outcome }) => `  ${utc(at)}  ${plainText(kind)}: ${outcome}`);
  const then = recorded.length === 0 ? ["No check of the time found anything."] : ["Found at the time:", ...recorded];
  const [first] = troubles;
  if (first === undefined) return ["", ...then];
  const toDetect = `${spellDuration(first.foundAtMs - first.beganAtMs)} after it began (${utc(first.beganAtMs)})`;
  const lasted = spellDuration((first.goneAtMs ?? untilMs) - first.beganAtMs);
  const end = first.goneAtMs === undefined ? "and was there at the end of the file" : `until ${utc(first.goneAtMs)}`;
  const ended =
    sync.ended_at === null || first.goneAtMs === undefined || sync.ended_at < first.goneAtMs
      ? ""
      : `; the sync was ${sync.status} ${spellDuration(sync.ended_at - first.goneAtMs)} later`;
  return [
    `${paint.bold("Time to detect:")} first found ${utc(first.foundAtMs)}, ${toDetect}.`,
    `${paint.bold("As it happened:")} it lasted ${lasted}, ${end}${ended}.`,
    ...then,
  ];
}

/** `2025-11-16 23:12:52 UTC`, whatever the zone of the machine. */
const utc = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
