import type { BreakerReason } from "../core/breaker.ts";
import type { Hold } from "../core/snapshot.ts";
import { type EpochMs, epochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { readSetting, storeSetting } from "./settings.ts";
import { readObject } from "./stored-json.ts";

/** What the governor remembers across a restart, beside the windows. */
export type GovernorState = {
  readonly skewMs: number;
  /** What Strava's time had reached when this was written; 0: not known. Not written for its own sake at each commit. */
  readonly stravaMs: EpochMs;
  /** After a 429: until when everybody waits. */
  readonly refusal: Hold | undefined;
  /** The breaker, where it is not closed. */
  readonly open: { readonly reason: BreakerReason; readonly untilMs: Hold["untilMs"] } | undefined;
  readonly openings: number;
};

/** A clock that is further off than this was set since: what was measured before is worth nothing. */
export const SKEW_LIMIT_MS = 24 * 3_600_000;

/** The state as last stored, as far as it can be read; undefined when none was. */
export function readGovernorState(db: Db): GovernorState | undefined {
  const text = readSetting(db, "governor");
  if (text === undefined) return undefined;
  const { skew_ms: skewMs, strava_ms: stravaMs, refusal, open, openings } = readObject(text);
  return {
    skewMs: typeof skewMs === "number" && Math.abs(skewMs) <= SKEW_LIMIT_MS ? skewMs : 0,
    stravaMs: epochMs(typeof stravaMs === "number" ? stravaMs : 0),
    refusal: readHold(refusal, ["quota_15min", "quota_daily"]),
    open: readHold(open, ["strava_unavailable", "app_inactive"]),
    openings: typeof openings === "number" ? openings : 0,
  };
}

/** The state as text: the same text where nothing has changed. */
export function formatGovernorState({ skewMs, stravaMs, refusal, open, openings }: GovernorState): string {
  const write = (hold: GovernorState["refusal"] | GovernorState["open"]) =>
    hold === undefined ? null : { reason: hold.reason, until_ms: hold.untilMs };
  return JSON.stringify({ skew_ms: skewMs, strava_ms: stravaMs, refusal: write(refusal), open: write(open), openings });
}

/** Stores what `formatGovernorState` wrote. */
export const storeGovernorState = (db: Db, text: string): void => storeSetting(db, "governor", text);

function readHold<Reason extends string>(
  value: unknown,
  reasons: readonly Reason[],
): { reason: Reason; untilMs: Hold["untilMs"] } | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { reason: word, until_ms: untilMs } = { ...value } as Record<string, unknown>;
  const reason = reasons.find((known) => known === word);
  return reason === undefined || typeof untilMs !== "number" ? undefined : { reason, untilMs: epochMs(untilMs) };
}
