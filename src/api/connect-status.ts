import { Elysia, t } from "elysia";
import { countAthletesByStatus } from "../db/athletes.ts";
import { countOpenInvites } from "../db/invites.ts";
import { readSetting } from "../db/settings.ts";
import { inReadTransaction } from "../db/transaction.ts";
import type { RouteDeps } from "./deps.ts";
import { OrNull, operation, Time, Word } from "./operation.ts";

const ConnectJson = t.Object({
  link: t.String({ description: "The link to send to athletes; where invitations are needed, theirs hold it." }),
  reconnect_link: t.String({ description: "The link for athletes who need to reconnect." }),
  callback_url: t.String({
    description: "Where Strava sends them back to: its host is the callback domain to enter at Strava.",
  }),
  is_public: t.Boolean({ description: "BROOMWAGON_PUBLIC_URL is set. If not, the links work on this machine only." }),
  strava_configured: t.Boolean(),
  mode: Word(["open", "invite"], "Whether an invitation is needed."),
  club_id: OrNull(t.Integer({ description: "Only members of this club of Strava's may connect." })),
  athletes: t.Object({
    connected: t.Integer(),
    needs_reconnect: t.Integer({ description: "They hold a place at Strava, as far as anybody knows." }),
    capacity: OrNull(t.Integer({ description: "BROOMWAGON_ATHLETE_CAPACITY; null: not given." })),
  }),
  capacity_reached_at: OrNull(Time("When Strava last refused somebody since no more athletes fit.")),
  open_invites: t.Integer({ description: "Invitations that still let somebody in." }),
});

/** How athletes connect here, and how many have. */
export function connectStatusRoutes({ context, connectRules }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin" }).get(
    "/connect",
    (): typeof ConnectJson.static => {
      const { db, clock, links, strava } = context;
      const { mode, clubId, athleteCapacity } = connectRules;
      return inReadTransaction(db, () => {
        const counts = countAthletesByStatus(db);
        const reachedAtMs = readSetting(db, "capacity_reached_at_ms");
        return {
          link: links.connect(),
          reconnect_link: links.reconnect(),
          callback_url: links.callback(),
          is_public: links.publicUrl !== undefined,
          strava_configured: strava !== undefined,
          mode,
          club_id: clubId ?? null,
          athletes: {
            connected: counts.get("connected") ?? 0,
            needs_reconnect: counts.get("needs_reconnect") ?? 0,
            capacity: athleteCapacity ?? null,
          },
          capacity_reached_at: reachedAtMs === undefined ? null : Number(reachedAtMs),
          open_invites: countOpenInvites(db, clock.nowMs()),
        };
      });
    },
    {
      detail: operation({
        tag: "Connecting",
        scope: "read",
        summary: "Shows the links to send, who may connect, and how many have",
        answers: { 200: { description: "As it is now.", schema: ConnectJson } },
      }),
    },
  );
}
