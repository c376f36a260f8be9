import { combineScopes, type Granted } from "../../core/scope.ts";
import type { Hold } from "../../core/snapshot.ts";
import { MINUTE_MS } from "../../core/units.ts";
import { readAthleteByStravaId } from "../../db/athletes.ts";
import { hashSecret } from "../../db/bearer-secret.ts";
import { storeSetting } from "../../db/settings.ts";
import { beginExchange, endExchange, takeSignIn } from "../../db/sign-ins.ts";
import type { AuthorizationGrant } from "../../strava/reply.ts";
import type { SyncContext } from "../context.ts";
import type { RunsBatches } from "../start-sync.ts";
import { type Admission, admitAthlete, holdBackAthlete, type SignedIn } from "./admit-athlete.ts";
import { checkClub } from "./check-club.ts";
import { type Exchanged, type Exchanging, exchangeCode } from "./exchange-code.ts";
import { loseExchange } from "./lost-exchanges.ts";
import type { ConnectRules } from "./sign-in.ts";
import { revokeWithoutRecord, turnAway } from "./turn-away.ts";

/** What Strava sent a browser back with. */
export type Callback = {
  readonly state: string | undefined;
  readonly code: string | undefined;
  /** What was granted: the athlete may untick what we asked for. */
  readonly scope: string | undefined;
  /** `access_denied`. */
  readonly error: string | undefined;
};

export type Connected =
  | { outcome: "connected"; name: string; isNew: boolean; granted: Granted }
  | { outcome: "strava_not_configured" }
  | { outcome: "state_unknown" } // missing, wrong, used or too old
  | { outcome: "denied" } // the athlete said no
  | { outcome: "code_refused" } // missing, used or too old, by Strava's word
  | { outcome: "capacity_reached" } // Strava connects no more athletes to this application
  | { outcome: "scope_missing"; isKnown: boolean } // activities may not be read
  | { outcome: "not_a_member" }
  | { outcome: "not_invited"; hadInvitation: boolean }
  | { outcome: "club_unknown"; hold: Hold | undefined } // the club could not be asked for
  | { outcome: "erased" } // while they were signing in
  | { outcome: "application_refused" } // Strava does not take our credentials, or the application is inactive
  | { outcome: "strava_unavailable"; hold: Hold | undefined }; // no answer to the code: nothing was stored

export type ConnectParts = {
  readonly connectRules: ConnectRules;
  readonly processor: RunsBatches;
  /** A grant waits to be revoked: sees to it now. */
  readonly revokeNow: () => void;
};

/** A person waits for the page. Every request has its own limit too; this one holds for their sum, and for the waits. */
const CONNECT_LIMIT_MS = MINUTE_MS;

/**
 * Ends a sign-in: takes its state, trades the code for tokens, sees whether this athlete may connect, and stores them with
 * a full sync to begin with. A grant of somebody who does not become an athlete here is revoked: nothing is left of them,
 * at Strava neither.
 */
export async function connectAthlete(
  context: SyncContext,
  callback: Callback,
  parts: ConnectParts,
): Promise<Connected> {
  const { strava, clock, tracer, log } = context;
  if (strava === undefined) return { outcome: "strava_not_configured" };
  const span = tracer.startSpan("connect.sign_in", {});
  const controller = new AbortController();
  const callOff = clock.after(CONNECT_LIMIT_MS, () => controller.abort());
  try {
    const connecting = { ...context, strava, ...parts, span, signal: controller.signal };
    const connected = await connect(connecting, callback);
    span.setAttributes({ "broomwagon.connect.outcome": connected.outcome });
    if (connected.outcome !== "connected") {
      const { traceId: trace_id, spanId: span_id } = span;
      // Anybody can send a state that is none: that is not worth a line each time.
      const level = connected.outcome === "state_unknown" ? "debug" : "info";
      log[level]("sign_in.ended", `A sign-in ended without an athlete: ${connected.outcome}.`, { trace_id, span_id });
    }
    return connected;
  } finally {
    callOff();
    span.end();
  }
}

type Connecting = Exchanging & ConnectParts;

async function connect(connecting: Connecting, { state, code, scope, error }: Callback): Promise<Connected> {
  const { db, clock, commits } = connecting;
  if (state === undefined) return { outcome: "state_unknown" };
  const stateHash = hashSecret(state);
  const isCodeGiven = error === undefined && code !== undefined && code !== "";
  const take = isCodeGiven ? beginExchange : takeSignIn;
  const signIn = await commits.soon(() => take(db, stateHash, clock.nowMs()) ?? null);
  if (signIn === null) return { outcome: "state_unknown" };
  if (error !== undefined) return { outcome: "denied" };
  if (!isCodeGiven) return { outcome: "code_refused" };

  let isLost = true;
  try {
    const exchanged = await exchangeCode(connecting, code);
    const connected =
      exchanged.got === "grant"
        ? await admitGranted(connecting, exchanged.grant, { scope, inviteId: signIn.inviteId })
        : await refusedExchange(connecting, exchanged);
    isLost = exchanged.got === "no_answer";
    return connected;
  } finally {
    await settleExchange(connecting, stateHash, isLost);
  }
}

/** What cannot be written now is settled by the next start: the sign-in itself is over. */
async function settleExchange(
  { db, clock, commits, log }: Connecting,
  stateHash: string,
  isLost: boolean,
): Promise<void> {
  try {
    await commits.soon(() => {
      if (isLost) loseExchange(db, stateHash, clock.nowMs());
      else endExchange(db, stateHash);
    });
  } catch (error) {
    log.warn("sign_in.not_settled", `The end of a sign-in could not be written: ${String(error)}`);
  }
}

async function admitGranted(
  connecting: Connecting,
  grant: AuthorizationGrant,
  { scope, inviteId }: { scope: string | undefined; inviteId: number | null },
): Promise<Connected> {
  const isKnown = readAthleteByStravaId(connecting.db, grant.athlete.stravaId) !== undefined;
  try {
    return await admit(connecting, { grant, granted: combineScopes([grant.scope, scope]) }, { isKnown, inviteId });
  } catch (cause) {
    // Nothing could be stored, not even that the grant is to be revoked.
    if (!isKnown) await revokeWithoutRecord(connecting, grant);
    throw cause;
  }
}

async function admit(
  connecting: Connecting,
  signedIn: SignedIn,
  { isKnown, inviteId }: { isKnown: boolean; inviteId: number | null },
): Promise<Connected> {
  const { commits, processor, connectRules } = connecting;
  const { grant, granted } = signedIn;
  if (granted.reads === "nothing") {
    const isHeldBack = await commits.soon(() => holdBackAthlete(connecting, signedIn, processor));
    if (!isHeldBack) await turnAway(connecting, grant);
    return { outcome: "scope_missing", isKnown: isHeldBack };
  }
  const isInviteRequired = connectRules.mode === "invite";
  if (!isKnown) {
    const refusal = isInviteRequired && inviteId === null ? NOT_INVITED : await refuseOutsider(connecting, grant);
    if (refusal !== undefined) {
      await turnAway(connecting, grant);
      return refusal;
    }
  }
  const admission: Admission = isKnown ? { as: "known" } : { as: "newcomer", inviteId, isInviteRequired };
  const admitted = await commits.soon(() => admitAthlete(connecting, signedIn, admission, processor));
  switch (admitted.outcome) {
    case "invite_gone":
      await turnAway(connecting, grant);
      return { outcome: "not_invited", hadInvitation: true };
    case "erased":
      await turnAway(connecting, grant);
      return { outcome: "erased" };
    case "admitted": {
      const name = `${grant.athlete.firstName} ${grant.athlete.lastName}`.trim();
      return { outcome: "connected", name, isNew: admitted.isNew, granted };
    }
    default:
      return admitted satisfies never;
  }
}

const NOT_INVITED = { outcome: "not_invited", hadInvitation: false } as const;

async function refusedExchange(
  { db, clock, commits, log }: Connecting,
  exchanged: Exclude<Exchanged, { got: "grant" }>,
): Promise<Connected> {
  switch (exchanged.got) {
    case "code_refused":
      return { outcome: "code_refused" };
    case "capacity_reached":
      await commits.soon(() => storeSetting(db, "capacity_reached_at_ms", String(clock.nowMs())));
      log.warn("connect.capacity_reached", "Strava connects no more athletes: one who wanted to was turned away.");
      return { outcome: "capacity_reached" };
    case "application_refused":
      return { outcome: "application_refused" };
    case "no_answer":
      return { outcome: "strava_unavailable", hold: exchanged.hold };
    default:
      return exchanged satisfies never;
  }
}

/** Why a newcomer may not connect, by their clubs; undefined: they may. */
async function refuseOutsider(connecting: Connecting, { accessToken }: AuthorizationGrant) {
  const { connectRules, signal, span, log } = connecting;
  const { clubId } = connectRules;
  if (clubId === undefined) return undefined;
  const membership = await checkClub(connecting, { clubId, accessToken, signal, span });
  switch (membership.is) {
    case "member":
      return undefined;
    case "not_a_member":
      return { outcome: "not_a_member" } as const;
    case "unknown":
      log.warn("connect.club_unknown", `Whether an athlete is a member of the club is not known: ${membership.reason}`);
      return { outcome: "club_unknown", hold: membership.hold } as const;
    default:
      return membership satisfies never;
  }
}
