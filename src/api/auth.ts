import { createHash, timingSafeEqual } from "node:crypto";
import { type EpochMs, MINUTE_MS } from "../core/units.ts";
import { findAdminToken, noteTokenUsed } from "../db/admin-tokens.ts";
import { hashSecret, makeSecret } from "../db/bearer-secret.ts";
import type { Scope } from "../db/schema-books.ts";
import type { RandomBytes } from "../db/seal.ts";
import type { SyncContext } from "../sync/context.ts";

/** Who asks. */
export type Principal = {
  /** As it is recorded with what they do: `token:3`. Never the token. */
  readonly actor: string;
  readonly scope: Scope;
};

export type Auth = {
  /** Who sent the request; undefined without a token, and with one that is unknown or has expired. */
  authenticate(request: Request): Principal | undefined;
};

/** A token that is not in the table: the configured one, and the running daemon's own. */
export type FixedToken = { readonly token: string; readonly actor: "admin" | "runtime" };

/** Each scope holds those before it. */
const SCOPES: readonly Scope[] = ["read", "operate", "admin"];
/** The time of the last use is noted at most so often: reading must not cost a write each time. */
const NOTE_USE_EVERY_MS = MINUTE_MS;

/** True when a token of scope `held` may do what wants `needed`. */
export const allows = (held: Scope, needed: Scope): boolean => SCOPES.indexOf(held) >= SCOPES.indexOf(needed);

/** A new token, 256 bits: shown once, and kept as `hashToken` of it. */
export const makeToken = (randomBytes: RandomBytes): string => `bw_${makeSecret(randomBytes)}`;

/** What is kept of a token. */
export const hashToken = (token: string): string => hashSecret(token);

/** Knows bearer tokens. Fixed ones have every right, and are compared in constant time. */
export function createAuth(options: {
  context: Pick<SyncContext, "db" | "clock" | "commits" | "log">;
  fixedTokens: readonly FixedToken[];
}): Auth {
  const { db, clock, commits, log } = options.context;
  const fixed = options.fixedTokens.map(({ token, actor }) => ({ hash: digest(token), actor }));
  const notedAtMs = new Map<number, EpochMs>();

  function noteUse(id: number): void {
    const nowMs = clock.nowMs();
    if (nowMs - (notedAtMs.get(id) ?? 0) < NOTE_USE_EVERY_MS) return;
    notedAtMs.set(id, nowMs);
    commits
      .soon(() => noteTokenUsed(db, id, nowMs))
      .catch((error: unknown) => log.warn("api.token_use_not_noted", `The use of a token was not noted: ${error}`));
  }

  return {
    authenticate(request) {
      const token = bearerOf(request.headers.get("authorization"));
      if (token === undefined) return undefined;
      const hash = digest(token);
      const known = fixed.filter((one) => timingSafeEqual(one.hash, hash))[0];
      if (known !== undefined) return { actor: known.actor, scope: "admin" };
      const row = findAdminToken(db, hash.toString("hex"), clock.nowMs());
      if (row === undefined) return undefined;
      noteUse(row.id);
      return { actor: `token:${row.id}`, scope: row.scope };
    },
  };
}

const digest = (token: string): Buffer => createHash("sha256").update(token).digest();

/** The scheme's name is case-insensitive (RFC 9110, 11.1). */
function bearerOf(authorization: string | null): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
}
