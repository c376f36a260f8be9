import { Elysia, t } from "elysia";
import { DAY_MS, plusMs } from "../core/units.ts";
import type { SyncRow } from "../db/schema.ts";
import { countEndedSince, readRecentSyncs, readSyncsInProgress } from "../db/syncs.ts";
import { inReadTransaction } from "../db/transaction.ts";
import type { RouteDeps } from "./deps.ts";
import { OrNull, operation, Time, Word } from "./operation.ts";
import { createSyncViewer, SyncJson } from "./sync-view.ts";

const RECENT = 10;
const PAGE = 200;

/** `GET /api/admin/sync-status`: what is going on now, and what ended last. */
export function syncStatusRoutes(deps: RouteDeps) {
  const { context, monitor } = deps;
  const viewer = createSyncViewer(deps);
  return new Elysia({ prefix: "/api/admin" }).get(
    "/sync-status",
    () =>
      inReadTransaction(context.db, () => {
        const active = viewer.showAll(readAllInProgress(deps));
        const recent = viewer.showAll(readRecentSyncs(context.db, RECENT));
        const countOf = (status: SyncJson["status"]) => active.filter((sync) => sync.status === status).length;
        const ended = countEndedSince(context.db, plusMs(context.clock.nowMs(), -DAY_MS));
        const { healing, lastCheckAtMs } = monitor.view();
        return {
          active,
          recent,
          summary: {
            active: active.length,
            processing: countOf("processing"),
            waiting: countOf("waiting"),
            stalled: countOf("stalled"),
            completed_24h: ended.get("completed") ?? 0,
            failed_24h: ended.get("failed") ?? 0,
            healing,
            last_health_check_at: lastCheckAtMs,
          },
        };
      }),
    {
      detail: operation({
        tag: "Syncs",
        scope: "read",
        summary: "Shows what is in progress, and what ended last",
        description:
          "Whether a sync is stalled is computed when asked, by the same diagnosis that the health check uses.",
        answers: {
          200: {
            description: "The state of all syncs in progress, and the last ten that ended.",
            schema: SyncStatusJson,
          },
        },
      }),
    },
  );
}

const SyncStatusJson = t.Object({
  active: t.Array(SyncJson),
  recent: t.Array(SyncJson),
  summary: t.Object({
    active: t.Integer(),
    processing: t.Integer(),
    waiting: t.Integer(),
    stalled: t.Integer(),
    completed_24h: t.Integer(),
    failed_24h: t.Integer(),
    healing: Word(["automatic", "suggest"]),
    last_health_check_at: OrNull(Time("When the last health check ended.")),
  }),
});

function readAllInProgress({ context }: RouteDeps): readonly SyncRow[] {
  const all: SyncRow[] = [];
  for (let afterId = 0; ; ) {
    const page = readSyncsInProgress(context.db, afterId, PAGE);
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    afterId = last.id;
  }
}
