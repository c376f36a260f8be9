import { Elysia, t } from "elysia";
import { readContent } from "../alerts/content.ts";
import { ALERT_RULES } from "../core/alert-rules.ts";
import { readMessages } from "../db/alert-messages.ts";
import { readTroubles } from "../db/alert-troubles.ts";
import type { AlertMessageRow, AlertTroubleRow } from "../db/schema-alerts.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { RouteDeps } from "./deps.ts";
import { unknownThing } from "./identifiers.ts";
import { BODY_REFUSALS, LIST_REFUSALS, OrNull, operation, PageOf, Time, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { refuse } from "./problem.ts";

const NEWEST_FIRST = Number.MAX_SAFE_INTEGER;
const OUTCOMES = ["pending", "delivered", "given_up"] as const;

const TroubleJson = t.Object({
  id: t.Integer(),
  rule: t.String({ description: `One of ${ALERT_RULES.join(", ")}.` }),
  subject: t.String({ description: "What it is about: `sync:7`, `athlete:3`, `application`, `daemon`." }),
  state: Word(["open", "closed"]),
  message: t.String({ description: "What is wrong, and what to do." }),
  opened_at: Time("When it began."),
  last_seen_at: Time("When it last occurred."),
  occurrences: t.Integer(),
  notified_at: OrNull(Time("When it was last told; null: never.")),
  closed_at: OrNull(Time("When it ended.")),
  trace_id: OrNull(t.String()),
  trace_url: OrNull(t.String()),
});

const MessageJson = t.Object({
  id: t.Integer(),
  channel_id: t.Integer(),
  trouble_id: OrNull(t.Integer({ description: "null in a test, and where several troubles are told together." })),
  kind: Word(["alert", "reminder", "recovery", "test"]),
  title: t.String(),
  text: t.String(),
  created_at: Time("When it was put into the outbox."),
  attempts: t.Integer({ description: "Tries so far." }),
  next_try_at: OrNull(Time("When the next try is due; null: none is.")),
  error: OrNull(t.String({ description: "Why the last try failed." })),
  settled_at: OrNull(Time("When it was delivered or given up.")),
  outcome: Word(OUTCOMES, "`given_up`: nobody took it for a day, or its channel is gone."),
});

/** What is told, what became of it, and a test of it. */
export function alertRoutes({ context, alerts, channels, actorOf, traceUrl }: RouteDeps) {
  const { db, commits } = context;
  return new Elysia({ prefix: "/api/admin/alerts" })
    .get(
      "/troubles",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const { rule, state } = query;
        const rows = readTroubles(db, { rule, state }, page.after?.[0] ?? NEWEST_FIRST, page.limit);
        return pageOf(rows, page.limit, { item: (row) => showTrouble(row, traceUrl), position: (row) => [row.id] });
      },
      {
        query: t.Object({
          ...PAGE_QUERY,
          rule: t.Optional(Word(ALERT_RULES)),
          state: t.Optional(Word(["open", "closed"])),
        }),
        detail: operation({
          tag: "Alerts",
          scope: "read",
          summary: "Lists troubles, the newest first",
          answers: { 200: { description: "A page of troubles.", schema: PageOf(TroubleJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .get(
      "/messages",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const filter = { channelId: query.channel_id, outcome: query.outcome };
        const rows = readMessages(db, filter, page.after?.[0] ?? NEWEST_FIRST, page.limit);
        return pageOf(rows, page.limit, { item: showMessage, position: (row) => [row.id] });
      },
      {
        query: t.Object({
          ...PAGE_QUERY,
          channel_id: t.Optional(t.Integer({ minimum: 1 })),
          outcome: t.Optional(Word(OUTCOMES)),
        }),
        detail: operation({
          tag: "Alerts",
          scope: "read",
          summary: "Lists messages and what became of them, the newest first",
          answers: { 200: { description: "A page of messages.", schema: PageOf(MessageJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .post(
      "/test",
      async ({ body, request }) => {
        const channel = channels.find(String(body.channel));
        if (channel === undefined) return unknownThing("channel");
        const { id: channelId, name } = channel.row;
        await commits.soon(() =>
          recordByHand(context, actorOf(request), {
            action: "alert_channel.tested",
            target: `alert_channel:${channelId}`,
          }),
        );
        const result = await alerts.test(channelId);
        if (!result.delivered) {
          return refuse(502, "alert_not_delivered", `The test was not delivered to ${name}. ${result.reason}`);
        }
        return {
          channel_id: channelId,
          channel: name,
          message_id: result.messageId,
          delivered: true,
          shortfall: result.shortfall ?? null,
        };
      },
      {
        body: t.Object({
          channel: t.Union([t.String({ minLength: 1, maxLength: 60 }), t.Integer({ minimum: 1 })], {
            description: "Its name or its id.",
          }),
        }),
        detail: operation({
          tag: "Alerts",
          scope: "admin",
          summary: "Sends a test to a channel now",
          description: "Once, and also to a channel that is switched off.",
          answers: {
            200: {
              description: "Delivered.",
              schema: t.Object({
                channel_id: t.Integer(),
                channel: t.String(),
                message_id: t.Integer(),
                delivered: t.Boolean(),
                shortfall: OrNull(t.String({ description: "Mail that only some got: how many were refused." })),
              }),
            },
          },
          refusals: {
            ...BODY_REFUSALS,
            404: "There is no such channel.",
            502: "`alert_not_delivered`: `detail` says why.",
          },
        }),
      },
    );
}

function showTrouble(row: AlertTroubleRow, traceUrl: RouteDeps["traceUrl"]): typeof TroubleJson.static {
  return {
    id: row.id,
    rule: row.rule,
    subject: row.subject,
    state: row.closedAtMs === null ? "open" : "closed",
    message: row.message,
    opened_at: row.openedAtMs,
    last_seen_at: row.lastSeenAtMs,
    occurrences: row.occurrences,
    notified_at: row.notifiedAtMs,
    closed_at: row.closedAtMs,
    trace_id: row.traceId,
    trace_url: row.traceId === null ? null : traceUrl(row.traceId),
  };
}

function showMessage(row: AlertMessageRow): typeof MessageJson.static {
  const { title, text } = readContent(row.content);
  return {
    id: row.id,
    channel_id: row.channelId,
    trouble_id: row.troubleId,
    kind: row.kind,
    title,
    text,
    created_at: row.createdAtMs,
    attempts: row.attempts,
    next_try_at: row.settledAtMs === null ? row.runAfterMs : null,
    error: row.error,
    settled_at: row.settledAtMs,
    outcome: row.outcome === "delivered" || row.outcome === "given_up" ? row.outcome : "pending",
  };
}
