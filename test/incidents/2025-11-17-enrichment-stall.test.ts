import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readIncident } from "../../src/core/incident.ts";
import { replayIncident } from "../../src/core/replay-incident.ts";

const FILE = join(import.meta.dir, "2025-11-17-enrichment-stall.json");

test("incident 2025-11-17-enrichment-stall: the replay finds what it found when this test was written", () => {
  const read = readIncident(JSON.parse(readFileSync(FILE, "utf8")));
  if (!read.ok) throw new Error(read.problems.join("\n"));
  const { troubles } = replayIncident(read.incident, {
    rules: { stallAfterDiscoveryMs: 600_000, stallAfterEnrichmentMs: 600_000 },
    healing: "automatic",
    everyMs: 60_000,
  });
  const found = troubles.map(({ kind, batchId, foundAtMs, would, remedy }) => {
    return { kind, batchId, foundAt: new Date(foundAtMs).toISOString(), would, remedy };
  });
  expect(found).toEqual([
    {
      kind: "missing_enrichment_batches",
      batchId: null,
      foundAt: "2025-11-16T23:14:00.000Z",
      would: "apply",
      remedy: "plan again: create what is missing, or complete the sync (2 batches)",
    },
  ]);
});
