import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

const deleteExpiredStatement = statement<unknown, [number]>(
  "DELETE FROM sign_ins WHERE expires_at_ms <= ?1 AND exchange_asked_at_ms IS NULL",
);

/** Forgets sign-ins that nobody came back from in time. */
export function deleteExpiredSignIns(db: Db, nowMs: EpochMs): void {
  deleteExpiredStatement(db).run(nowMs);
}

const insertStatement = statement<unknown, [string, number, number, number | null, number]>(
  `INSERT INTO sign_ins (state_hash, created_at_ms, expires_at_ms, invite_id)
   SELECT ?1, ?2, ?3, ?4 WHERE (SELECT count(*) FROM sign_ins) < ?5`,
);

export type NewSignIn = {
  readonly stateHash: string;
  readonly nowMs: EpochMs;
  readonly expiresAtMs: EpochMs;
  /** The invitation that it began with; null: none. */
  readonly inviteId: number | null;
};

/** Remembers a sign-in that has begun, unless `limit` are under way: then false. */
export function insertSignIn(db: Db, signIn: NewSignIn, limit: number): boolean {
  const { stateHash, nowMs, expiresAtMs, inviteId } = signIn;
  return insertStatement(db).run(stateHash, nowMs, expiresAtMs, inviteId, limit).changes > 0;
}

const takeStatement = statement<{ inviteId: number | null }, [string, number]>(
  "DELETE FROM sign_ins WHERE state_hash = ?1 AND expires_at_ms > ?2 AND exchange_asked_at_ms IS NULL RETURNING invite_id AS inviteId",
);

/** Takes the sign-in of a state, so that nobody can again; undefined when there is none, or none any more. */
export function takeSignIn(
  db: Db,
  stateHash: string,
  nowMs: EpochMs,
): { readonly inviteId: number | null } | undefined {
  return takeStatement(db).get(stateHash, nowMs) ?? undefined;
}

const beginExchangeStatement = statement<{ inviteId: number | null }, [string, number]>(
  "UPDATE sign_ins SET exchange_asked_at_ms = ?2 WHERE state_hash = ?1 AND expires_at_ms > ?2 AND exchange_asked_at_ms IS NULL RETURNING invite_id AS inviteId",
);

/** Takes the sign-in of a state to exchange its code: it is remembered until `endExchange`, should the answer be lost. */
export function beginExchange(
  db: Db,
  stateHash: string,
  nowMs: EpochMs,
): { readonly inviteId: number | null } | undefined {
  return beginExchangeStatement(db).get(stateHash, nowMs) ?? undefined;
}

const endExchangeStatement = statement<unknown, [string]>(
  "DELETE FROM sign_ins WHERE state_hash = ?1 AND exchange_asked_at_ms IS NOT NULL",
);

/** Forgets an exchange. @returns false when there is none. */
export function endExchange(db: Db, stateHash: string): boolean {
  return endExchangeStatement(db).run(stateHash).changes > 0;
}

const deleteExchangesStatement = statement<unknown, []>("DELETE FROM sign_ins WHERE exchange_asked_at_ms IS NOT NULL");

/** Forgets all exchanges. @returns whether there was one. */
export function deleteExchanges(db: Db): boolean {
  return deleteExchangesStatement(db).run().changes > 0;
}
