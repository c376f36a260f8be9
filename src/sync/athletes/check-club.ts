import type { Hold } from "../../core/snapshot.ts";
import { athleteId } from "../../core/units.ts";
import type { StravaClient } from "../../strava/client.ts";
import type { ClubPage, Reply } from "../../strava/reply.ts";
import type { Span } from "../../telemetry/tracing.ts";
import type { SyncContext } from "../context.ts";

/** An answer that was not got, or not understood, never makes anybody a stranger. */
export type Membership =
  | { is: "member" }
  | { is: "not_a_member" } // the whole list was read
  | { is: "unknown"; reason: string; hold?: Hold };

/** Of 200 clubs each. A list that does not end is no list. */
const PAGES_MAX = 10;

/**
 * Whether the token's athlete is a member of a club: their own list of clubs, read until it names the club, or to its
 * empty page. Each page counts, and waits for its turn; `signal` ends that.
 */
export async function checkClub(
  context: SyncContext & { strava: StravaClient },
  asked: { clubId: number; accessToken: string; signal: AbortSignal; span: Span },
): Promise<Membership> {
  for (let page = 1; page <= PAGES_MAX; page++) {
    const outcome = await askForPage(context, { ...asked, page });
    if (outcome.got === "hold") return { is: "unknown", reason: outcome.hold.reason, hold: outcome.hold };
    if (outcome.got !== "reply") return { is: "unknown", reason: "It took too long." };
    if (!outcome.reply.ok) return { is: "unknown", reason: outcome.reply.fault.message };
    const { clubIds } = outcome.reply.value;
    if (clubIds.includes(asked.clubId)) return { is: "member" };
    if (clubIds.length === 0) return { is: "not_a_member" };
  }
  return { is: "unknown", reason: `The list of clubs goes on past page ${PAGES_MAX}.` };
}

function askForPage(
  { governor, strava, tracer }: SyncContext & { strava: StravaClient },
  asked: { page: number; accessToken: string; signal: AbortSignal; span: Span },
) {
  const { page, accessToken, signal, span: parent } = asked;
  const asker = { athleteId: athleteId(0), phase: "club", syncClass: "connect" } as const;
  return governor.request(asker, signal, async (): Promise<Reply<ClubPage>> => {
    const attributes = { "broomwagon.list.page": page };
    const span = tracer.startSpan("strava.list_clubs", { parent, kind: "client", attributes });
    const reply = await strava.listClubs(accessToken, page, signal);
    if (reply.status !== undefined) span.setAttributes({ "http.response.status_code": reply.status });
    if (!reply.ok) span.fail(reply.fault.message);
    span.end();
    return reply;
  });
}
