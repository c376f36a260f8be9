import type { Fault } from "../../core/fault.ts";
import type { RequestPhase } from "../../core/request-phase.ts";
import type { Hold } from "../../core/snapshot.ts";
import type { SyncClass } from "../../core/sync.ts";
import type { AthleteId } from "../../core/units.ts";
import type { StravaClient } from "../../strava/client.ts";
import type { Reply } from "../../strava/reply.ts";
import type { Span } from "../../telemetry/tracing.ts";
import type { SyncContext } from "../context.ts";
import type { RefusedToken } from "./token-store.ts";
import type { TokenAnswer } from "./tokens.ts";

/** Who asks, and for whom: a run of a batch, or a look that one of Strava's events started. */
export type Asking = {
  readonly athleteId: AthleteId;
  readonly syncClass: SyncClass;
  readonly span: Span;
  /** Aborts what is in flight. */
  readonly signal: AbortSignal;
  /** Calls off what is not sent yet: with `signal`, and as soon as the daemon stops. */
  readonly unsent: AbortSignal;
  /** Asked for once: opening a sealed token for each request costs more than the rest of the request. */
  token: Promise<TokenAnswer> | undefined;
  /** Requests that were answered, for whoever books them. */
  unbookedRequests: number;
};

export type Answer<T> =
  | { got: "value"; value: T }
  | { got: "fault"; fault: Fault & { scope: "item" } } // only what was asked for is in doubt
  | Lost // nothing of this athlete can be read
  | { got: "hold"; hold: Hold } // everybody waits
  | { got: "trouble"; error: string } // the token could not be refreshed this time
  | { got: "crowded_out" } // no place came free: better to stand in line again
  | { got: "called_off" };

/** The athlete's access is gone, as long as `refused` is still their token. */
export type Lost = { got: "reconnect"; reason: string; refused: RefusedToken | undefined };

export type Question<T> = {
  /** The span's name: `strava.get_activity`. */
  readonly name: string;
  readonly phase: RequestPhase;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** What is asked for, the same each time: many failures of one thing are no outage. */
  readonly item: string;
  /** Another failure would be the last: then it must be clear whose it is. */
  readonly isLastTry: boolean;
  readonly send: (strava: StravaClient, accessToken: string) => Promise<Reply<T>>;
};

/**
 * Asks Strava one thing: through the governor, with the athlete's token, as a span of the asking's trace. A
 * token that Strava refuses before its time is replaced once, and the question put again; a second refusal means that
 * the athlete must connect again.
 */
export async function askStrava<T>(context: SyncContext, asking: Asking, question: Question<T>): Promise<Answer<T>> {
  let refused: Refused | undefined;
  for (;;) {
    const asked = tokenFor(context, asking, refused);
    const token = await asked;
    if (token.got !== "token") return token;
    const answer = await askOnce(context, asking, question, token.accessToken);
    if (answer.got !== "unauthorized") return answer;
    if (refused !== undefined)
      return { got: "reconnect", reason: TWICE_UNAUTHORIZED, refused: { accessToken: token.accessToken } };
    refused = { asked, accessToken: token.accessToken };
  }
}

const TWICE_UNAUTHORIZED = "Strava refused the access token, and a fresh one too.";

type Refused = { readonly asked: Promise<TokenAnswer>; readonly accessToken: string };

/** Its token. Questions that were refused together replace it once: the first does, the others take what it got. */
function tokenFor(context: SyncContext, asking: Asking, refused: Refused | undefined): Promise<TokenAnswer> {
  if (asking.token !== undefined && asking.token !== refused?.asked) return asking.token;
  const { athleteId, syncClass, signal, span: parent } = asking;
  const request = { athleteId, syncClass, signal, parent };
  asking.token = context.tokens.accessToken(
    refused === undefined ? request : { ...request, rejected: refused.accessToken },
  );
  return asking.token;
}

async function askOnce<T>(
  context: SyncContext,
  asking: Asking,
  question: Question<T>,
  accessToken: string,
): Promise<Answer<T> | { got: "unauthorized" }> {
  const { strava, governor } = context;
  if (strava === undefined) return { got: "trouble", error: "No Strava credentials are configured." };
  const { athleteId, syncClass } = asking;
  const { name, phase, item, isLastTry, attributes } = question;
  const send = () => inSpan(context, asking, { name, attributes }, () => question.send(strava, accessToken));
  const ask = () => inSpan(context, asking, NEUTRAL, () => strava.getAthlete(accessToken, asking.signal));
  const outcome = await governor.request({ athleteId, phase, syncClass, item }, asking.unsent, send, {
    isLastTry,
    ask,
  });
  if (outcome.got !== "reply") return outcome;
  const { reply } = outcome;
  if (reply.ok) return { got: "value", value: reply.value };
  return answerFault(reply.fault, accessToken);
}

/** The question that clears Strava, or makes a failure its own: it hangs on no list and no activity. */
const NEUTRAL = { name: "strava.get_athlete", attributes: {} };

/** Sends a request as a span of the asking's trace, and counts it. */
async function inSpan<T>(
  context: SyncContext,
  asking: Asking,
  span: Pick<Question<T>, "name" | "attributes">,
  send: () => Promise<Reply<T>>,
): Promise<Reply<T>> {
  const { name, attributes } = span;
  const opened = context.tracer.startSpan(name, { parent: asking.span, kind: "client", attributes });
  const reply = await send();
  asking.unbookedRequests++;
  if (reply.status !== undefined) opened.setAttributes({ "http.response.status_code": reply.status });
  if (!reply.ok) opened.fail(reply.fault.message);
  opened.end();
  return reply;
}

function answerFault(fault: Fault, accessToken: string): Answer<never> | { got: "unauthorized" } {
  switch (fault.scope) {
    case "item":
      return { got: "fault", fault };
    case "athlete":
      if (fault.kind === "unauthorized") return { got: "unauthorized" };
      return { got: "reconnect", reason: reasonOf(fault), refused: { accessToken } };
    case "caller":
      return { got: "called_off" };
    case "application":
      // The governor turns these into holds; one that it let pass is tried again like any trouble.
      return { got: "trouble", error: fault.message };
    default:
      return fault satisfies never;
  }
}

function reasonOf(fault: Fault & { scope: "athlete" }): string {
  const needed = "activity:read, or activity:read_all where private activities count too";
  return fault.kind === "scope_missing" ? `${fault.message}: ${needed}.` : `${fault.message}.`;
}
