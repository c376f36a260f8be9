import { Elysia, t } from "elysia";
import { FINDING_KINDS } from "../core/findings.ts";
import { findingId, syncId } from "../core/units.ts";
import { readFinding, readFindings } from "../db/findings.ts";
import type { RouteDeps } from "./deps.ts";
import { FINDING_OUTCOMES, FindingJson, showFinding } from "./finding-view.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { LIST_REFUSALS, operation, PageOf, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { refuse } from "./problem.ts";

const NEWEST_FIRST = Number.MAX_SAFE_INTEGER;

/** Findings: the list, and applying a proposed remedy. */
export function findingRoutes({ context, monitor, actorOf }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin/health/findings" })
    .get(
      "",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const filter = {
          kind: query.kind,
          outcome: query.outcome,
          syncId: query.sync_id === undefined ? undefined : syncId(Number(query.sync_id)),
        };
        const rows = readFindings(context.db, filter, page.after?.[0] ?? NEWEST_FIRST, page.limit);
        return pageOf(rows, page.limit, { item: showFinding, position: (row) => [row.id] });
      },
      {
        query: t.Object({
          ...PAGE_QUERY,
          kind: t.Optional(Word(FINDING_KINDS)),
          outcome: t.Optional(Word(FINDING_OUTCOMES)),
          sync_id: t.Optional(t.String({ pattern: "^[1-9]\\d{0,14}$" })),
        }),
        detail: operation({
          tag: "Health",
          scope: "read",
          summary: "Lists findings, the newest first",
          answers: { 200: { description: "A page of findings.", schema: PageOf(FindingJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .post(
      "/:id/apply",
      ({ params, request }) => {
        const number = parseId(params.id);
        if (number === undefined) return unknownThing("finding");
        const id = findingId(number);
        const applied = monitor.apply(id, actorOf(request));
        switch (applied) {
          case "applied": {
            const row = readFinding(context.db, id);
            return row === undefined ? unknownThing("finding") : showFinding(row);
          }
          case "stale":
            return refuse(
              409,
              "finding_stale",
              "What it saw has changed since, so nothing was done; the next check looks again.",
            );
          case "not_proposed":
            return refuse(
              409,
              "finding_not_proposed",
              "Its remedy is not waiting for a person: it was applied, or the finding is settled.",
            );
          case "unknown":
            return unknownThing("finding");
          default:
            return applied satisfies never;
        }
      },
      {
        params: t.Object({ id: t.String() }),
        detail: operation({
          tag: "Health",
          scope: "operate",
          summary: "Applies a proposed remedy",
          answers: { 200: { description: "Applied; a later check verifies it.", schema: FindingJson } },
          refusals: { 404: "There is no such finding.", 409: "`finding_stale` or `finding_not_proposed`." },
        }),
      },
    );
}
