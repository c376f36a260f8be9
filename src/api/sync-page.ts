import type { DiagnosisRules } from "../core/diagnose.ts";
import type { Enrichment } from "../core/enrichment.ts";
import type { BatchCounts, SyncSnapshot } from "../core/snapshot.ts";
import type { HealingMode } from "../core/status.ts";
import type { SyncClass } from "../core/sync.ts";
import type { AthleteId, SyncId } from "../core/units.ts";
import { readAthletesById } from "../db/athletes.ts";
import type { Db } from "../db/open.ts";
import type { SyncRow } from "../db/schema.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import { countPendingOf, tallySyncs } from "../db/snapshot-pages.ts";
import { readBatchCounts, readSnapshots } from "../sync/snapshot.ts";

type Rules = DiagnosisRules & { readonly healing: HealingMode };

/** What showing a page of syncs needs. */
export type SyncPage = {
  readonly athletes: ReadonlyMap<AthleteId, AthleteRow>;
  /** Of syncs in progress. */
  readonly snapshots: ReadonlyMap<SyncId, SyncSnapshot>;
  /** Of syncs in progress. */
  readonly tallies: ReadonlyMap<SyncId, ReadonlyMap<Enrichment, number>>;
  /** Of those that have ended. */
  readonly counts: ReadonlyMap<SyncId, BatchCounts>;
  /** Races that still need enrichment; of athletes whose sync has completed, nobody asks. */
  readonly pending: ReadonlyMap<AthleteId, number>;
  /** The rules of a class, one moment for the whole page. */
  rules(syncClass: SyncClass): Rules;
};

/** Reads a page of syncs, in progress and ended: the same few statements, however many there are. */
export function readSyncPage(db: Db, syncs: readonly SyncRow[], rulesOf: (syncClass: SyncClass) => Rules): SyncPage {
  const running = syncs.filter((sync) => sync.status === "in_progress");
  const ended = syncs.filter((sync) => sync.status !== "in_progress");
  const snapshots = readSnapshots(db, running);
  const unfinished = ended.filter((sync) => sync.status !== "completed");
  const rules = new Map<SyncClass, Rules>();
  return {
    athletes: new Map(readAthletesById(db, athletesOf(syncs)).map((athlete) => [athlete.id, athlete])),
    snapshots,
    tallies: tallySyncs(
      db,
      running.map((sync) => sync.id),
    ),
    counts: readBatchCounts(db, ended),
    pending: new Map([
      ...countPendingOf(db, athletesOf(unfinished)),
      ...[...snapshots.values()].map(({ athleteId, plan }): [AthleteId, number] => [athleteId, plan.racesPending]),
    ]),
    rules(syncClass) {
      const known = rules.get(syncClass) ?? rulesOf(syncClass);
      rules.set(syncClass, known);
      return known;
    },
  };
}

const athletesOf = (syncs: readonly SyncRow[]): AthleteId[] => syncs.map((sync) => sync.athleteId);
