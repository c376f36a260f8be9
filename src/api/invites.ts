import { Elysia, status, t } from "elysia";
import { parseDuration } from "../core/duration.ts";
import { DAY_MS, type EpochMs, MINUTE_MS, plusMs } from "../core/units.ts";
import { hashSecret, makeSecret } from "../db/bearer-secret.ts";
import { deleteInvite, insertInvite, readInvites } from "../db/invites.ts";
import type { InviteRow } from "../db/schema-connect.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { BODY_REFUSALS, LIST_REFUSALS, OrNull, operation, PageOf, Time, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { refuse } from "./problem.ts";

const NEWEST_FIRST = Number.MAX_SAFE_INTEGER;
const SHORTEST_MS = MINUTE_MS;
const LONGEST_MS = 90 * DAY_MS;
const DEFAULT_TEXT = "7d";

const INVITE_FIELDS = {
  id: t.Integer(),
  label: t.String(),
  state: Word(["open", "used", "expired"], "Only an open one lets somebody in."),
  created_at: Time("When it was made."),
  created_by: t.String({ description: "Who made it: `admin`, `token:3`." }),
  expires_at: Time("When it ends."),
  used_at: OrNull(Time("When somebody connected with it.")),
  used_by_athlete_id: OrNull(t.Integer({ description: "Whom it brought in; perhaps erased since." })),
};
const InviteJson = t.Object(INVITE_FIELDS);
const NewInviteJson = t.Object({
  ...INVITE_FIELDS,
  url: t.String({ description: "The link to send. Shown this once." }),
});

/** Invitations to connect, each for one person: needed where `BROOMWAGON_CONNECT` is `invite`. */
export function inviteRoutes({ context, randomBytes, actorOf }: RouteDeps) {
  const { db, commits, clock } = context;
  return new Elysia({ prefix: "/api/admin/invites" })
    .post(
      "",
      ({ body, request }) => {
        const lifeMs = parseDuration(body.expires_in ?? DEFAULT_TEXT);
        if (lifeMs === undefined || lifeMs < SHORTEST_MS || lifeMs > LONGEST_MS) return refuseDuration();
        const nowMs = clock.nowMs();
        const token = makeSecret(randomBytes);
        const by = actorOf(request);
        const row = commits.now(() => {
          const expiresAtMs = plusMs(nowMs, lifeMs);
          const invite = { label: body.label ?? "", tokenHash: hashSecret(token), nowMs, by, expiresAtMs };
          const made = insertInvite(db, invite);
          const detail = { expires_at: expiresAtMs };
          recordByHand(context, by, { action: "invite.made", target: `invite:${made.id}`, detail });
          return made;
        });
        return status(201, { ...showInvite(row, nowMs), url: context.links.invitation(token) });
      },
      {
        body: t.Object({
          label: t.Optional(t.String({ maxLength: 200, description: "Whom it is for." })),
          expires_in: t.Optional(
            t.String({ maxLength: 20, description: `How long it is good: ${DEFAULT_TEXT} unless given, 1m to 90d.` }),
          ),
        }),
        detail: operation({
          tag: "Connecting",
          scope: "admin",
          summary: "Makes an invitation",
          description: "Good for one person, once.",
          answers: { 201: { description: "Made; kept as a hash only.", schema: NewInviteJson } },
          refusals: BODY_REFUSALS,
        }),
      },
    )
    .get(
      "",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const nowMs = clock.nowMs();
        const rows = readInvites(db, page.after?.[0] ?? NEWEST_FIRST, page.limit);
        return pageOf(rows, page.limit, { item: (row) => showInvite(row, nowMs), position: (row) => [row.id] });
      },
      {
        query: t.Object(PAGE_QUERY),
        detail: operation({
          tag: "Connecting",
          scope: "read",
          summary: "Lists invitations, the newest first, without their links",
          answers: { 200: { description: "A page of invitations.", schema: PageOf(InviteJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .delete(
      "/:id",
      ({ params, request }) => {
        const id = parseId(params.id);
        const isRevoked = commits.now(() => {
          if (id === undefined || !deleteInvite(db, id)) return false;
          recordByHand(context, actorOf(request), { action: "invite.revoked", target: `invite:${id}` });
          return true;
        });
        return isRevoked ? { id, revoked: true } : unknownThing("invite");
      },
      {
        params: t.Object({ id: t.String() }),
        detail: operation({
          tag: "Connecting",
          scope: "admin",
          summary: "Takes an invitation back",
          description: "Whoever connected with it stays connected.",
          answers: {
            200: {
              description: "It lets nobody in any more.",
              schema: t.Object({ id: t.Integer(), revoked: t.Boolean() }),
            },
          },
          refusals: { 404: "There is no such invitation." },
        }),
      },
    );
}

const refuseDuration = () =>
  refuse(422, "invalid_request", `expires_in: expected a duration from 1m to 90d, such as "${DEFAULT_TEXT}".`, {
    errors: [{ field: "expires_in", message: "expected a duration from 1m to 90d" }],
  });

function showInvite(row: InviteRow, nowMs: EpochMs): typeof InviteJson.static {
  return {
    id: row.id,
    label: row.label,
    state: row.usedAtMs !== null ? "used" : row.expiresAtMs <= nowMs ? "expired" : "open",
    created_at: row.createdAtMs,
    created_by: row.createdBy,
    expires_at: row.expiresAtMs,
    used_at: row.usedAtMs,
    used_by_athlete_id: row.usedByAthleteId,
  };
}
