import type { Hold } from "../../core/snapshot.ts";
import { athleteId } from "../../core/units.ts";
import type { StravaClient } from "../../strava/client.ts";
import type { AuthorizationGrant, Reply } from "../../strava/reply.ts";
import type { Span } from "../../telemetry/tracing.ts";
import type { SyncContext } from "../context.ts";

/** What a sign-in works with: its trace, and the signal that ends it. */
export type Exchanging = SyncContext & {
  readonly strava: StravaClient;
  readonly span: Span;
  readonly signal: AbortSignal;
};

export type Exchanged =
  | { got: "grant"; grant: AuthorizationGrant }
  | { got: "code_refused" } // used already, too old, or never given out
  | { got: "capacity_reached" } // Strava connects no more athletes
  | { got: "application_refused" } // our credentials, or the application as a whole
  | { got: "no_answer"; hold: Hold | undefined }; // or none that can be understood: the code is lost with it

/** Trades a code for tokens. Not tried again: it is good once, and whether the first request reached Strava nobody knows. */
export async function exchangeCode(exchanging: Exchanging, code: string): Promise<Exchanged> {
  const { governor, strava, tracer, span: parent, signal } = exchanging;
  const asker = { athleteId: athleteId(0), phase: "connect", syncClass: "connect" } as const;
  const send = async (): Promise<Reply<AuthorizationGrant>> => {
    const span = tracer.startSpan("strava.exchange_code", { parent, kind: "client" });
    const answer = await strava.exchangeCode(code, signal);
    if (answer.status !== undefined) span.setAttributes({ "http.response.status_code": answer.status });
    if (!answer.ok) span.fail(answer.fault.message);
    span.end();
    return answer;
  };
  const { reply, hold } = await governor.requestUnmetered(asker, send, signal);
  if (reply.ok) return { got: "grant", grant: reply.value };
  switch (reply.fault.kind) {
    case "code_refused":
    case "capacity_reached":
      return { got: reply.fault.kind };
    case "wrong_client":
    case "app_inactive":
      return { got: "application_refused" };
    default:
      return { got: "no_answer", hold };
  }
}
