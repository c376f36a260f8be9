import { Elysia, status, t } from "elysia";
import { epochMs } from "../core/units.ts";
import { type AdminTokenRow, deleteAdminToken, insertAdminToken, readAdminTokens } from "../db/admin-tokens.ts";
import { recordByHand } from "../sync/by-hand.ts";
import { hashToken, makeToken } from "./auth.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { BODY_REFUSALS, LIST_REFUSALS, OrNull, operation, PageOf, Time, Whole, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { refuse } from "./problem.ts";

const SCOPES = ["read", "operate", "admin"] as const;

const TOKEN_FIELDS = {
  id: t.Integer(),
  label: t.String(),
  scope: Word(SCOPES, "Each holds those before it."),
  created_at: Time("When it was made."),
  expires_at: OrNull(Time("When it ends; null: never.")),
  last_used_at: OrNull(Time("When it was last used, to the minute.")),
};
const TokenJson = t.Object(TOKEN_FIELDS);
const NewTokenJson = t.Object({ ...TOKEN_FIELDS, token: t.String({ description: "Shown this once." }) });

/** Bearer tokens of this API. */
export function tokenRoutes({ context, randomBytes, actorOf }: RouteDeps) {
  const { db, commits, clock } = context;
  return new Elysia({ prefix: "/api/admin/tokens" })
    .post(
      "",
      ({ body, request }) => {
        const nowMs = clock.nowMs();
        const { label, scope } = body;
        const expiresAtMs = body.expires_at === undefined || body.expires_at === null ? null : epochMs(body.expires_at);
        if (expiresAtMs !== null && expiresAtMs <= nowMs) {
          return refuse(
            422,
            "invalid_request",
            "expires_at is in the past. Give milliseconds since the epoch, or leave it out.",
          );
        }
        const token = makeToken(randomBytes);
        const row = commits.now(() => {
          const made = insertAdminToken(db, { label, scope, tokenHash: hashToken(token), nowMs, expiresAtMs });
          const detail = { scope, expires_at: expiresAtMs };
          recordByHand(context, actorOf(request), { action: "token.made", target: `token:${made.id}`, detail });
          return made;
        });
        return status(201, { ...showToken(row), token });
      },
      {
        body: t.Object({
          label: t.String({ minLength: 1, maxLength: 200, description: "Whose it is, or what for." }),
          scope: Word(SCOPES),
          expires_at: t.Optional(
            OrNull(
              Whole({ minimum: 0, description: "When it ends, in milliseconds since the epoch; left out: never." }),
            ),
          ),
        }),
        detail: operation({
          tag: "Tokens",
          scope: "admin",
          summary: "Makes a token",
          answers: { 201: { description: "Made; kept as a hash only.", schema: NewTokenJson } },
          refusals: BODY_REFUSALS,
        }),
      },
    )
    .get(
      "",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const rows = readAdminTokens(db, page.after?.[0] ?? 0, page.limit);
        return pageOf(rows, page.limit, { item: showToken, position: (row) => [row.id] });
      },
      {
        query: t.Object(PAGE_QUERY),
        detail: operation({
          tag: "Tokens",
          scope: "read",
          summary: "Lists tokens, without the tokens themselves",
          answers: { 200: { description: "A page of tokens, by id.", schema: PageOf(TokenJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .delete(
      "/:id",
      ({ params, request }) => {
        const id = parseId(params.id);
        const isRevoked = commits.now(() => {
          if (id === undefined || !deleteAdminToken(db, id)) return false;
          recordByHand(context, actorOf(request), { action: "token.revoked", target: `token:${id}` });
          return true;
        });
        return isRevoked ? { id, revoked: true } : unknownThing("token");
      },
      {
        params: t.Object({ id: t.String() }),
        detail: operation({
          tag: "Tokens",
          scope: "admin",
          summary: "Revokes a token",
          answers: {
            200: {
              description: "It lets nobody in any more.",
              schema: t.Object({ id: t.Integer(), revoked: t.Boolean() }),
            },
          },
          refusals: { 404: "There is no such token." },
        }),
      },
    );
}

function showToken(row: AdminTokenRow): typeof TokenJson.static {
  return {
    id: row.id,
    label: row.label,
    scope: row.scope,
    created_at: row.createdAtMs,
    expires_at: row.expiresAtMs,
    last_used_at: row.lastUsedAtMs,
  };
}
