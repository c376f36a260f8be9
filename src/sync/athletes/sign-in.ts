import { WANTED_SCOPE } from "../../core/scope.ts";
import type { Hold } from "../../core/snapshot.ts";
import { MINUTE_MS, plusMs } from "../../core/units.ts";
import { countAthletesByStatus } from "../../db/athletes.ts";
import { hashSecret, makeSecret } from "../../db/bearer-secret.ts";
import { findInvite } from "../../db/invites.ts";
import type { Db } from "../../db/open.ts";
import type { RandomBytes } from "../../db/seal.ts";
import { deleteExpiredSignIns, insertSignIn } from "../../db/sign-ins.ts";
import type { SyncContext } from "../context.ts";

/** Who may connect: from the configuration. */
export type ConnectRules = {
  readonly mode: "open" | "invite";
  /** Only members of this club of Strava's. */
  readonly clubId: number | undefined;
  /** How many athletes Strava lets this application connect, as far as the operator knows. */
  readonly athleteCapacity: number | undefined;
};

/** Why an invitation lets nobody in. */
export type NoInvitation = "missing" | "unknown" | "used" | "expired";

export type SignInStart =
  | { outcome: "sent"; url: string } // on to Strava
  | { outcome: "strava_not_configured" }
  | { outcome: "full" } // no more athletes fit
  | { outcome: "not_invited"; why: NoInvitation }
  | { outcome: "held"; hold: Hold } // whether they are a member could not be asked now
  | { outcome: "too_many" }; // sign-ins under way

/** From Strava's page and back: long enough to find a password, short enough that a state is worth nothing later. */
export const SIGN_IN_LIVES_MS = 15 * MINUTE_MS;
/** Anybody may begin one, and each is a row: beyond this nobody can be told from an attack. */
export const SIGN_INS_MAX = 5_000;

/**
 * Begins to connect an athlete: the address of Strava's page, with a state that is good once.
 *
 * The state is not bound to the browser on purpose. It proves that somebody asked us first; what binding it would prevent is
 * that a stranger's callback is slipped into a browser, and there is no session here that it could take over: it would
 * connect the stranger's own account, and show a page. And people do change browsers on the way: the link is opened within
 * a chat, Strava's page in Strava's app, and what comes back in whatever browser the phone prefers.
 */
export async function beginSignIn(
  context: SyncContext,
  rules: ConnectRules,
  asked: {
    /** The invitation in the link; undefined: none. */
    readonly invitation: string | undefined;
    /** Says to be known already: neither capacity nor invitation is looked at, since both are only for newcomers. */
    readonly isAgain: boolean;
  },
  randomBytes: RandomBytes,
): Promise<SignInStart> {
  const { db, clock, commits, links, strava, governor } = context;
  if (strava === undefined) return { outcome: "strava_not_configured" };
  const nowMs = clock.nowMs();
  let inviteId: number | null = null;
  if (!asked.isAgain) {
    if (isFull(db, rules)) return { outcome: "full" };
    const invitation = findInvitation(context, asked.invitation);
    if (typeof invitation === "number") inviteId = invitation;
    else if (rules.mode === "invite") return { outcome: "not_invited", why: invitation };
    // Better now than on the way back, when the grant is given and the club cannot be asked for.
    const hold = rules.clubId === undefined ? undefined : governor.hold("connect");
    if (hold !== undefined) return { outcome: "held", hold };
  }
  const state = makeSecret(randomBytes);
  const signIn = { stateHash: hashSecret(state), nowMs, expiresAtMs: plusMs(nowMs, SIGN_IN_LIVES_MS), inviteId };
  const isBegun = await commits.soon(() => {
    deleteExpiredSignIns(db, nowMs);
    return insertSignIn(db, signIn, SIGN_INS_MAX);
  });
  if (!isBegun) return { outcome: "too_many" };
  return {
    outcome: "sent",
    url: strava.authorizeUrl({ redirectUri: links.callback(), scope: WANTED_SCOPE, state }),
  };
}

/** The id of the invitation, or why it lets nobody in. */
function findInvitation({ db, clock }: SyncContext, token: string | undefined): number | NoInvitation {
  if (token === undefined || token === "") return "missing";
  const invite = findInvite(db, hashSecret(token));
  if (invite === undefined) return "unknown";
  if (invite.usedAtMs !== null) return "used";
  return invite.expiresAtMs <= clock.nowMs() ? "expired" : invite.id;
}

/** Whoever needs to reconnect holds a grant as far as anybody knows: they keep their place. */
function isFull(db: Db, { athleteCapacity }: ConnectRules): boolean {
  if (athleteCapacity === undefined) return false;
  const counts = countAthletesByStatus(db);
  return (counts.get("connected") ?? 0) + (counts.get("needs_reconnect") ?? 0) >= athleteCapacity;
}
