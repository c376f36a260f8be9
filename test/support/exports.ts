import { type Incident, readIncident } from "../../src/core/incident.ts";
import { MINUTE_MS, type SyncId } from "../../src/core/units.ts";
import { inReadTransaction } from "../../src/db/transaction.ts";
import { exportIncident } from "../../src/health/incident-export.ts";
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
