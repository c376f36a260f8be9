import { Elysia, t } from "elysia";
import { FINDING_KINDS } from "../core/findings.ts";
import { athleteId, syncId } from "../core/units.ts";
import { findBatches } from "../db/batches.ts";
import { readFindings } from "../db/findings.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSyncLogs } from "../db/sync-logs.ts";
import { readSync, readSyncs, type SyncFilter } from "../db/syncs.ts";
import { inReadTransaction } from "../db/transaction.ts";
import { BATCH_STATUSES, BATCH_TYPES, BatchJson, showBatch } from "./batch-view.ts";
import type { RouteDeps } from "./deps.ts";
import { FINDING_OUTCOMES, FindingJson, showFinding } from "./finding-view.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { LIST_REFUSALS, OrNull, operation, PageOf, Time, Word } from "./operation.ts";
import { encodeCursor, PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { createSyncViewer, SYNC_PHASES, SYNC_STATES, SYNC_STATUSES, SyncJson } from "./sync-view.ts";

const SyncIdParam = t.Object({ sync_id: t.String() });
const UNKNOWN = { 404: "There is no such sync." };
const NEWEST_FIRST = Number.MAX_SAFE_INTEGER;
/** A filter by state looks at so many syncs a request at most; the cursor goes on from there. */
const SYNCS_JUDGED = 1_000;
const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

const LogJson = t.Object({
  id: t.Integer(),
  at: Time("When it happened."),
  level: Word(LOG_LEVELS),
  event: t.String(),
  message: t.String(),
  batch_id: OrNull(t.Integer()),
  trace_id: OrNull(t.String()),
});

/** Syncs: the list, one of them, its batches, its log, its findings. */
export function syncRoutes(deps: RouteDeps) {
  const { context, traceUrl } = deps;
  const { db } = context;
  const viewer = createSyncViewer(deps);

  function findSync(text: string): SyncRow | undefined {
    const id = parseId(text);
    return id === undefined ? undefined : readSync(db, syncId(id));
  }

  /** Syncs in progress in one state: judged one by one, since the state is stored nowhere. */
  function listByState(filter: SyncFilter, state: (typeof SYNC_STATES)[number], beforeId: number, limit: number) {
    const items: SyncJson[] = [];
    let position = beforeId;
    for (let judged = 0; judged < SYNCS_JUDGED; ) {
      const rows = readSyncs(db, { ...filter, status: "in_progress" }, position, limit);
      for (const shown of viewer.showAll(rows)) {
        position = Number(shown.sync_id);
        if (shown.status === state) items.push(shown);
        if (items.length === limit) return { items, next_cursor: encodeCursor([position]) };
      }
      if (rows.length < limit) return { items, next_cursor: null };
      judged += rows.length;
    }
    return { items, next_cursor: encodeCursor([position]) };
  }

  return new Elysia({ prefix: "/api/admin/syncs" })
    .get(
      "",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const { limit } = page;
        const beforeId = page.after?.[0] ?? NEWEST_FIRST;
        const { state } = query;
        const filter: SyncFilter = {
          status: query.status,
          athleteId: query.athlete_id === undefined ? undefined : athleteId(query.athlete_id),
          phase: query.phase,
          q: query.q,
        };
        return inReadTransaction(db, () => {
          if (state === undefined) {
            const items = viewer.showAll(readSyncs(db, filter, beforeId, limit));
            return pageOf(items, limit, { item: (shown) => shown, position: (shown) => [Number(shown.sync_id)] });
          }
          // What has ended is in none of these states.
          if ((query.status ?? "in_progress") !== "in_progress") return { items: [], next_cursor: null };
          return listByState(filter, state, beforeId, limit);
        });
      },
      {
        query: t.Object({
          ...PAGE_QUERY,
          status: t.Optional(Word(SYNC_STATUSES)),
          state: t.Optional(Word(SYNC_STATES, "Of syncs in progress; a page may be short with more behind it.")),
          athlete_id: t.Optional(t.Integer({ minimum: 1 })),
          phase: t.Optional(Word(SYNC_PHASES)),
          q: t.Optional(t.String({ maxLength: 200, description: "In the athlete's name, or their id at Strava." })),
        }),
        detail: operation({
          tag: "Syncs",
          scope: "read",
          summary: "Lists syncs, the newest first",
          answers: { 200: { description: "A page of syncs.", schema: PageOf(SyncJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .get(
      "/:sync_id",
      ({ params }) => {
        return inReadTransaction(db, () => {
          const sync = findSync(params.sync_id);
          return sync === undefined ? unknownThing("sync") : viewer.show(sync);
        });
      },
      {
        params: SyncIdParam,
        detail: operation({
          tag: "Syncs",
          scope: "read",
          summary: "Shows a sync",
          answers: { 200: { description: "The sync.", schema: SyncJson } },
          refusals: UNKNOWN,
        }),
      },
    )
    .get(
      "/:sync_id/batches",
      ({ params, query }) => {
        const sync = findSync(params.sync_id);
        if (sync === undefined) return unknownThing("sync");
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const filter = { syncId: sync.id, status: query.status, type: query.type };
        const rows = findBatches(db, filter, page.after?.[0] ?? 0, page.limit);
        return pageOf(rows, page.limit, { item: (row) => showBatch(row, traceUrl), position: (row) => [row.number] });
      },
      {
        params: SyncIdParam,
        query: t.Object({
          ...PAGE_QUERY,
          status: t.Optional(Word(BATCH_STATUSES)),
          type: t.Optional(Word(BATCH_TYPES)),
        }),
        detail: operation({
          tag: "Syncs",
          scope: "read",
          summary: "Lists the batches of a sync, by number",
          answers: { 200: { description: "A page of batches.", schema: PageOf(BatchJson) } },
          refusals: { ...UNKNOWN, ...LIST_REFUSALS },
        }),
      },
    )
    .get(
      "/:sync_id/logs",
      ({ params, query }) => {
        const sync = findSync(params.sync_id);
        if (sync === undefined) return unknownThing("sync");
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const filter = { syncId: sync.id, level: query.level, q: query.q };
        const rows = readSyncLogs(db, filter, page.after?.[0] ?? NEWEST_FIRST, page.limit);
        return pageOf(rows, page.limit, {
          item: (row) => ({
            id: row.id,
            at: row.atMs,
            level: row.level,
            event: row.event,
            message: row.message,
            batch_id: row.batchId,
            trace_id: row.traceId,
          }),
          position: (row) => [row.id],
        });
      },
      {
        params: SyncIdParam,
        query: t.Object({
          ...PAGE_QUERY,
          level: t.Optional(Word(LOG_LEVELS)),
          q: t.Optional(t.String({ maxLength: 200, description: "In the event's name or the message." })),
        }),
        detail: operation({
          tag: "Syncs",
          scope: "read",
          summary: "Reads the log of a sync, the newest first",
          answers: { 200: { description: "A page of its log.", schema: PageOf(LogJson) } },
          refusals: { ...UNKNOWN, ...LIST_REFUSALS },
        }),
      },
    )
    .get(
      "/:sync_id/findings",
      ({ params, query }) => {
        const sync = findSync(params.sync_id);
        if (sync === undefined) return unknownThing("sync");
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const filter = { syncId: sync.id, kind: query.kind, outcome: query.outcome };
        const rows = readFindings(db, filter, page.after?.[0] ?? NEWEST_FIRST, page.limit);
        return pageOf(rows, page.limit, { item: showFinding, position: (row) => [row.id] });
      },
      {
        params: SyncIdParam,
        query: t.Object({
          ...PAGE_QUERY,
          kind: t.Optional(Word(FINDING_KINDS)),
          outcome: t.Optional(Word(FINDING_OUTCOMES)),
        }),
        detail: operation({
          tag: "Syncs",
          scope: "read",
          summary: "Lists the findings about a sync, the newest first",
          answers: { 200: { description: "A page of findings.", schema: PageOf(FindingJson) } },
          refusals: { ...UNKNOWN, ...LIST_REFUSALS },
        }),
      },
    );
}
