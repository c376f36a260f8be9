import type { IncidentBatch } from "../../core/incident.ts";
import type { EpochMs } from "../../core/units.ts";
import { type History, INCIDENT_LIMITS } from "./history.ts";

/** What the file cannot tell, in sentences. */
export function findGaps(
  history: History,
  parts: {
    readonly batches: readonly IncidentBatch[];
    readonly vanished: number;
    readonly isNewest: boolean;
    readonly starts: readonly EpochMs[];
  },
): string[] {
  const { sync, sightings, races, log } = history;
  const { batches, vanished, isNewest, starts } = parts;
  const states = batches.flatMap((batch) => batch.states);
  const guessed = states.filter(({ by, status }) => by === "unknown" && status !== "gone").length;
  const hasStart = starts.some((at) => at <= sync.startedAtMs);
  const isCut =
    history.batches.length === INCIDENT_LIMITS.batches ||
    races.length === INCIDENT_LIMITS.races ||
    sightings.length === INCIDENT_LIMITS.findings ||
    log.length === INCIDENT_LIMITS.logLines;
  const gaps: [isOne: boolean, sentence: string][] = [
    [
      true,
      "Thresholds, mode and patterns are those of the export: whether they were others during the sync, it does not hold.",
    ],
    [true, "A try that settled no race leaves no time: between two that did, there may have been more."],
    [
      vanished > 0,
      `${vanished} batches have no row left: they were there, and are taken to have been live until something showed that they were gone.`,
    ],
    [
      guessed > 0,
      `${guessed} states of batches have no recorded moment: those that a hand made are shown from the moment at which something saw them, claims in between from the moment at which the batch was due.`,
    ],
    [
      races.some(({ enrichment }) => enrichment === "failed" || enrichment === "unavailable"),
      "When a race failed or was not found is not recorded: at the end of its batch at the latest.",
    ],
    [
      !isNewest,
      "A later sync of the same athlete may have taken up, and changed, races of this one: those are missing.",
    ],
    [!hasStart, "When the daemon started before the sync is not known; nor whether the machine slept."],
    [isCut, "It is cut off: the sync has more batches, races, findings or log lines than a file holds."],
  ];
  return gaps.filter(([isOne]) => isOne).map(([, sentence]) => sentence);
}
