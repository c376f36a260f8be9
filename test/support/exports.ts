import { type Incident, readIncident } from "../../src/core/incident.ts";
import { findingsAt, optionsOf } from "../../src/core/replay-incident.ts";
import { type EpochMs, MINUTE_MS, type SyncId } from "../../src/core/units.ts";
import { inReadTransaction } from "../../src/db/transaction.ts";
import { exportIncident } from "../../src/health/incidents/export.ts";
import type { TestEngine } from "./engine.ts";

/** The settings of a test's engine, as an incident file tells of them. */
export function incidentConfigOf({ monitor, context }: Pick<TestEngine, "monitor" | "context">): Incident["config"] {
  const { stallAfterDiscoveryMs, stallAfterEnrichmentMs, healing } = monitor.rules("schedule");
  return {
    stall_after_discovery_ms: stallAfterDiscoveryMs,
    stall_after_enrichment_ms: stallAfterEnrichmentMs,
    lease_ms: context.rules.leaseMs,
    enrichment_batch_size: context.rules.enrichmentBatchSize,
    max_attempts: context.rules.maxAttempts,
    max_remedies: 5,
    concurrency: context.rules.concurrency,
    healing,
    health_period_ms: MINUTE_MS,
    processor_cron: "* * * * *",
    health_cron: "* * * * *",
    full_sync_cron: "",
    incremental_sync_cron: "",
    timezone: "UTC",
  };
}

/** What happened in a sync, written to a file and read from it again. */
export function exportedFrom(engine: TestEngine, id: SyncId): Incident {
  const setting = { config: incidentConfigOf(engine), programVersion: "1.2.3", lastCheckAtMs: null };
  const incident = inReadTransaction(engine.db, () => exportIncident(engine.context, id, setting));
  const read = readIncident(JSON.parse(JSON.stringify(incident)));
  if (!read.ok) throw new Error(read.problems.join("\n"));
  return read.incident;
}

/** What a health check found first in a sync; undefined: nothing. */
export type Check = { readonly atMs: EpochMs; readonly kind: string | undefined };

/** Lets minutes pass, each ended by the processor's tick and a health check; tells what each found. */
export async function checkMinutes(engine: TestEngine, id: SyncId, minutes: number): Promise<Check[]> {
  const checks: Check[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    await engine.clock.advance(MINUTE_MS);
    checks.push(await checkNow(engine, id));
  }
  return checks;
}

/** The processor's tick and a health check, now. */
export async function checkNow(engine: TestEngine, id: SyncId): Promise<Check> {
  engine.processor.tick();
  const atMs = engine.clock.nowMs();
  const { findings } = await engine.monitor.tick();
  await engine.clock.advance(0);
  return { atMs, kind: findings.find(({ finding }) => finding.syncId === id)?.finding.kind };
}

/** What a replay finds first at the moments of those checks. */
export function replayAt(incident: Incident, checks: readonly Check[]): Check[] {
  const { rules } = optionsOf(incident);
  return checks.map(({ atMs }) => ({ atMs, kind: findingsAt(incident, atMs, rules)[0]?.kind }));
}

/** For reading, where two of them differ. */
export const inLines = (checks: readonly Check[]): string[] =>
  checks.map(({ atMs, kind }) => `${new Date(atMs).toISOString()} ${kind ?? "-"}`);
