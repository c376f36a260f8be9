import type { FindingJson } from "../api/finding-view.ts";
import { type Paint, plainText } from "./paint.ts";
import type { Drawing } from "./sync-line.ts";
import { clockTime, spellDuration } from "./time-words.ts";

/** A finding in three lines: what, since when and of whom; what is wrong; what was done about it and what came of it. */
export function renderFinding(finding: FindingJson, { nowMs, timeZone, paint }: Drawing): string {
  const whose = [
    finding.sync_id === null ? "" : `sync ${finding.sync_id}`,
    finding.athlete_id === null ? "" : `athlete ${finding.athlete_id}`,
    finding.batch_id === null ? "" : `batch ${finding.batch_id}`,
  ].filter((part) => part !== "");
  const id = finding.id === null ? "" : `#${finding.id} `;
  const at = clockTime(finding.detected_at, { nowMs, timeZone });
  return [
    `${paint.bold(`${id}${plainText(finding.kind)}`)}  ${renderOutcome(finding, paint)}  ${paint.dim([at, ...whose].join(", "))}`,
    `  ${plainText(finding.message)}`,
    ...(finding.remedy === null ? [] : [`  ${paint.dim("Remedy:")} ${plainText(finding.remedy)}`]),
  ].join("\n");
}

/** The outcome, and how long it took from seen to settled. */
function renderOutcome(finding: FindingJson, paint: Paint): string {
  const took = finding.settled_at === null ? "" : ` after ${spellDuration(finding.settled_at - finding.detected_at)}`;
  switch (finding.outcome) {
    case "verified":
      return paint.green(`verified${took}`);
    case "failed":
      return paint.red(`failed${took}`);
    case "proposed":
      return paint.yellow("proposed");
    case "pending":
      return paint.cyan(finding.id === null ? "found" : "remedied, not yet verified");
    case "superseded":
      return paint.dim(`superseded${took}`);
    default:
      return finding.outcome satisfies never;
  }
}
