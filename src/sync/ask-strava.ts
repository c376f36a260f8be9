import type { Fault } from "../core/fault.ts";
import type { Hold } from "../core/snapshot.ts";
import type { RequestPhase } from "../db/quota.ts";
import type { StravaClient } from "../strava/client.ts";
import type { Reply } from "../strava/reply.ts";
import type { SyncContext } from "./context.ts";
import type { Run } from "./run.ts";
import type { TokenAnswer } from "./tokens.ts";

export type Answer<T> =
  | { got: "value"; value: T }
  | { got: "fault"; fault: Fault & { scope: "item" } } // only what was asked for is in doubt
  | { got: "reconnect"; reason: string } // nothing of this athlete can be read
  | { got: "hold"; hold: Hold } // everybody waits
  | { got: "trouble"; error: string } // the token could not be refreshed this time
  | { got: "crowded_out" } // no place came free: better to stand in line again
  | { got: "called_off" };

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
 * Asks Strava one thing for a run: through the governor, with the athlete's token, as a span of the run's trace. A
 * token that Strava refuses before its time is replaced once, and the question put again; a second refusal means that
 * the athlete must connect again.
 */
export async function askStrava<T>(context: SyncContext, run: Run, question: Question<T>): Promise<Answer<T>> {
  let refused: Refused | undefined;
  for (;;) {
    const asked = tokenFor(context, run, refused);
    const token = await asked;
    if (token.got !== "token") return token;
    const answer = await askOnce(context, run, question, token.accessToken);
    if (answer.got !== "unauthorized") return answer;
    if (refused !== undefined)
      return { got: "reconnect", reason: "Strava refused the access token, and a fresh one too." };
    refused = { asked, accessToken: token.accessToken };
  }
}

type Refused = { readonly asked: Promise<TokenAnswer>; readonly accessToken: string };

/** The run's token. Questions that were refused together replace it once: the first does, the others take what it got. */
function tokenFor(context: SyncContext, run: Run, refused: Refused | undefined): Promise<TokenAnswer> {
  if (run.token !== undefined && run.token !== refused?.asked) return run.token;
  const { athleteId, syncClass, signal, span: parent } = run;
  const request = { athleteId, syncClass, signal, parent };
  run.token = context.tokens.accessToken(
    refused === undefined ? request : { ...request, rejected: refused.accessToken },
  );
  return run.token;
}

async function askOnce<T>(
  context: SyncContext,
  run: Run,
  question: Question<T>,
  accessToken: string,
): Promise<Answer<T> | { got: "unauthorized" }> {
  const { strava, governor } = context;
  if (strava === undefined) return { got: "trouble", error: "No Strava credentials are configured." };
  const { athleteId, syncClass } = run;
  const { name, phase, item, isLastTry, attributes } = question;
  const send = () => inSpan(context, run, { name, attributes }, () => question.send(strava, accessToken));
  const ask = () => inSpan(context, run, NEUTRAL, () => strava.getAthlete(accessToken, run.signal));
  const outcome = await governor.request({ athleteId, phase, syncClass, item }, run.unsent, send, { isLastTry, ask });
  if (outcome.got !== "reply") return outcome;
  const { reply } = outcome;
  if (reply.ok) return { got: "value", value: reply.value };
  return answerFault(reply.fault);
}

/** The question that clears Strava, or makes a failure its own: it hangs on no list and no activity. */
const NEUTRAL = { name: "strava.get_athlete", attributes: {} };

/** Sends a request as a span of the run's trace, and counts it. */
async function inSpan<T>(
  context: SyncContext,
  run: Run,
  span: Pick<Question<T>, "name" | "attributes">,
  send: () => Promise<Reply<T>>,
): Promise<Reply<T>> {
  const { name, attributes } = span;
  const opened = context.tracer.startSpan(name, { parent: run.span, kind: "client", attributes });
  const reply = await send();
  run.unbookedRequests++;
  if (reply.status !== undefined) opened.setAttributes({ "http.response.status_code": reply.status });
  if (!reply.ok) opened.fail(reply.fault.message);
  opened.end();
  return reply;
}

function answerFault(fault: Fault): Answer<never> | { got: "unauthorized" } {
  switch (fault.scope) {
    case "item":
      return { got: "fault", fault };
    case "athlete":
      return fault.kind === "unauthorized" ? { got: "unauthorized" } : { got: "reconnect", reason: reasonOf(fault) };
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
