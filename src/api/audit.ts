import { Elysia, t } from "elysia";
import { type AuditRow, readAudit } from "../db/audit.ts";
import { readObject } from "../db/stored-json.ts";
import type { RouteDeps } from "./deps.ts";
import { LIST_REFUSALS, OrNull, operation, PageOf, Time } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";

const NEWEST_FIRST = Number.MAX_SAFE_INTEGER;

const AuditJson = t.Object({
  id: t.Integer(),
  at: Time("When it was done."),
  actor: t.String({ description: "Who: `admin`, `token:3`, `runtime` (a command beside the daemon), `command line`." }),
  action: t.String({ description: "What: `sync.cancelled`." }),
  target: OrNull(t.String({ description: "To what: `athlete:3`; null: the daemon." })),
  detail: t.Record(t.String(), t.Unknown(), {
    description: "Ids and numbers; no names, no secrets, no race contents.",
  }),
});

const Exactly = (description: string) => t.Optional(t.String({ maxLength: 200, description }));

/** `GET /api/admin/audit`: who changed what by hand. */
export function auditRoutes({ context }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin" }).get(
    "/audit",
    ({ query }) => {
      const page = readPage(query);
      if (page === undefined) return refuseCursor();
      const { actor, action, target } = query;
      const rows = readAudit(context.db, { actor, action, target }, page.after?.[0] ?? NEWEST_FIRST, page.limit);
      return pageOf(rows, page.limit, { item: showEntry, position: (row) => [row.id] });
    },
    {
      query: t.Object({
        ...PAGE_QUERY,
        actor: Exactly("Only what this one did."),
        action: Exactly("Only this: `sync.cancelled`."),
        target: Exactly("Only what was done to this: `athlete:3`."),
      }),
      detail: operation({
        tag: "Audit",
        scope: "admin",
        summary: "Lists what was changed by hand, the newest first",
        description: "Kept as long as other history (`BROOMWAGON_RETENTION`).",
        answers: { 200: { description: "A page of the audit.", schema: PageOf(AuditJson) } },
        refusals: LIST_REFUSALS,
      }),
    },
  );
}

function showEntry(row: AuditRow): typeof AuditJson.static {
  return {
    id: row.id,
    at: row.atMs,
    actor: row.actor,
    action: row.action,
    target: row.target === "" ? null : row.target,
    detail: readObject(row.detail),
  };
}
