import type { EpochMs } from "../../core/units.ts";
import type { Db } from "../../db/open.ts";
import { deleteExchanges, endExchange } from "../../db/sign-ins.ts";
import { noteAnyReplaced } from "../../db/strava-tokens.ts";

/**
 * A code was exchanged, and what Strava answered is lost, on the wire or by a death. Where Strava rotates, whoever signed in holds a
 * newer pair there than here, and who it was nobody knows: till its next refresh, no pair that is refused proves anything of
 * its grant. Inside a transaction.
 */
export function loseExchange(db: Db, stateHash: string, nowMs: EpochMs): void {
  if (endExchange(db, stateHash)) noteAnyReplaced(db, nowMs);
}

/** The answers to what a former process asked are lost. Inside a transaction. */
export function loseLeftExchanges(db: Db, nowMs: EpochMs): void {
  if (deleteExchanges(db)) noteAnyReplaced(db, nowMs);
}
