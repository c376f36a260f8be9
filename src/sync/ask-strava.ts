import type { Fault } from "../core/fault.ts";
import type { Hold } from "../core/snapshot.ts";
import type { RequestPhase } from "../db/quota.ts";
import type { StravaClient } from "../strava/client.ts";
import type { Reply } from "../strava/reply.ts";
import type { SyncContext } from "./context.ts";
import type { Run } from "./run.ts";

export type Answer<T> =
  | { got: "value"; value: T }
  | { got: "fault"; fault: Fault & { scope: "item" } } // only what was asked for is in doubt
  | { got: "reconnect"; reason: string } // nothing of this athlete can be read
  | { got: "hold"; hold: Hold } // everybody waits
  | { got: "trouble"; error: string } // the token could not be refreshed this time
  | { got: "called_off" };

export type Question<T> = {
  /** The span's name: `strava.get_activity`. */
  readonly name: string;
  readonly phase: RequestPhase;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly send: (strava: StravaClient, accessToken: string) => Promise<Reply<T>>;
};

/**
 * Asks Strava one thing for a run: through the governor, with the athlete's token, as a span of the run's trace. A
 * token that Strava refuses before its time is replaced once, and the question put again; a second refusal means that
 * the athlete must connect again.
 */
export async function askStrava<T>(context: SyncContext, run: Run, question: Question<T>): Promise<Answer<T>> {
  let rejected: string | undefined;
  for (;;) {
    const token = await context.tokens.accessToken({
      athleteId: run.athleteId,
      syncClass: run.syncClass,
      parent: run.span,
      signal: run.signal,
      ...(rejected === undefined ? {} : { rejected }),
    });
    if (token.got !== "token") return token;
    const answer = await askOnce(context, run, question, token.accessToken);
    if (answer.got !== "unauthorized") return answer;
    if (rejected !== undefined)
      return { got: "reconnect", reason: "Strava refused the access token, and a fresh one too." };
    rejected = token.accessToken;
  }
}

async function askOnce<T>(
  context: SyncContext,
  run: Run,
  question: Question<T>,
  accessToken: string,
): Promise<Answer<T> | { got: "unauthorized" }> {
  const { strava, governor, tracer } = context;
  if (strava === undefined) return { got: "trouble", error: "No Strava credentials are configured." };
  const { athleteId, syncClass } = run;
  const outcome = await governor.request({ athleteId, phase: question.phase, syncClass }, run.signal, async () => {
    const span = tracer.startSpan(question.name, { parent: run.span, kind: "client", attributes: question.attributes });
    const reply = await question.send(strava, accessToken);
    if (reply.status !== undefined) span.setAttributes({ "http.response.status_code": reply.status });
    if (!reply.ok) span.fail(reply.fault.message);
    span.end();
    return reply;
  });
  if (outcome.got !== "reply") return outcome;
  const { reply } = outcome;
  if (reply.ok) return { got: "value", value: reply.value };
  return answerFault(reply.fault);
}

function answerFault(fault: Fault): Answer<never> | { got: "unauthorized" } {
  switch (fault.scope) {
    case "item":
      return { got: "fault", fault };
    case "athlete":
      return fault.kind === "unauthorized" ? { got: "unauthorized" } : { got: "reconnect", reason: fault.message };
    case "caller":
      return { got: "called_off" };
    case "application":
      // The governor turns these into holds; one that it let pass is tried again like any trouble.
      return { got: "trouble", error: fault.message };
    default:
      return fault satisfies never;
  }
}
