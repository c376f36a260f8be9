import type { IncidentPhase } from "../../core/incident.ts";
import { type History, madeBy, type Sighting } from "./history.ts";

/** In which phase the sync was when: by the log, by what checks saw, and by the pages that were made. */
export function showPhases(history: History): IncidentPhase[] {
  const { sync, log, batches, sightings } = history;
  const listed = log.filter(({ event }) => event === "sync.list_complete");
  const hasListed = listed.length > 0 || batches.some(({ type }) => type === "discovery") || saysDiscovery(history);
  const isListing = sync.phase === "discovery" || hasListed;
  const phases: IncidentPhase[] = [
    { at: sync.startedAtMs, phase: isListing ? "discovery" : "enrichment", list_complete: !isListing, by: "daemon" },
  ];
  const happenings = [
    ...sightings.map((sighting) => ({ at: sighting.atMs, order: 0, told: () => seenPhase(sighting) })),
    ...listed.map(({ atMs: at }) => ({ at, order: 1, told: () => phaseOf("enrichment", true) })),
    // A page that is made while nothing more is to be listed says that something is after all.
    ...batches
      .filter(({ type }) => type === "discovery")
      .map(({ createdAtMs: at }) => ({ at, order: 2, told: () => phaseOf("discovery", false) })),
  ].sort((a, b) => a.at - b.at || a.order - b.order);
  for (const { at, order, told } of happenings) {
    const phase = told();
    const last = phases.at(-1);
    if (phase === undefined || at < sync.startedAtMs) continue;
    if (last?.phase === phase.phase && last.list_complete === phase.list_complete) continue;
    phases.push({ at, ...phase, by: order === 0 ? "unknown" : madeBy(history, at) });
  }
  return phases;
}

const phaseOf = (phase: IncidentPhase["phase"], isComplete: boolean) => ({ phase, list_complete: isComplete });

/** A check that judged the plan says in which phase it found the sync, and by its step whether the list was complete. */
function seenPhase({ evidence }: Sighting): Pick<IncidentPhase, "phase" | "list_complete"> | undefined {
  const { phase, step } = evidence;
  if (phase !== "discovery" && phase !== "enrichment") return undefined;
  if (step === "return_to_discovery") return phaseOf(phase, false);
  if (step === "enter_enrichment") return phaseOf(phase, true);
  return phaseOf(phase, phase === "enrichment");
}

const saysDiscovery = ({ log }: History): boolean => log.some(({ message }) => message.includes("(discovery)"));
