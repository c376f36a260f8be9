import { expect, test } from "bun:test";
import { seededDice } from "../../../src/core/dice.ts";
import { epochMs, MINUTE_MS, type SyncId } from "../../../src/core/units.ts";
import { readSync } from "../../../src/db/syncs.ts";
import { createTestEngine, START_MS, type TestEngine } from "../../support/engine.ts";
import { type Check, checkNow, exportedFrom, inLines, replayAt } from "../../support/exports.ts";
import { byHand } from "../../support/hand.ts";

const LIVE = "status IN ('pending', 'processing')";
const NO_LEASE = "lease_token = NULL, lease_expires_at_ms = NULL";
const FAR_MS = START_MS + 400 * 24 * 3_600_000;
const IN_3_HOURS_MS = START_MS + 3 * 3_600_000;

/** What a hand does to the rows of a sync in progress. */
const HANDS: readonly string[] = [
  `DELETE FROM batches WHERE ${LIVE}`,
  "DELETE FROM batches",
  "DELETE FROM batches WHERE status = 'pending'",
  `UPDATE batches SET status = 'completed' WHERE ${LIVE}`,
  `UPDATE batches SET status = 'failed' WHERE ${LIVE}`,
  `UPDATE batches SET status = 'cancelled' WHERE ${LIVE}`,
  "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'",
  `UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = ${FAR_MS} WHERE status = 'processing'`,
  `UPDATE batches SET ${NO_LEASE} WHERE status = 'processing'`,
  `UPDATE batches SET status = 'pending', run_after_ms = ${FAR_MS}, ${NO_LEASE} WHERE ${LIVE}`,
  `UPDATE batches SET status = 'pending', run_after_ms = ${IN_3_HOURS_MS}, ${NO_LEASE} WHERE ${LIVE}`,
  "UPDATE races SET enrichment = 'pending' WHERE enrichment = 'enriched' AND id % 3 = 0",
  "UPDATE races SET enrichment = 'enriched'",
];
const LATENCIES_MS = [200, 2_000, 9_000] as const;
const MINUTES = 12;

type Lived = {
  readonly engine: TestEngine;
  readonly syncId: SyncId;
  /** What each health check found first. */
  readonly checks: readonly Check[];
  /** What was done to it, for whoever reads of a failure. */
  readonly told: readonly string[];
};

/** Some minutes of a sync by the dice: so many hands in its rows at most, failures of Strava, restarts, either mode. */
async function live(seed: number, handsAtMost: number): Promise<Lived> {
  const dice = seededDice(seed);
  const below = (count: number): number => Math.floor(dice() * count);
  let engine = createTestEngine({
    sandbox: {
      club: { athletes: 1, activitiesEach: 200 + below(500), racesEach: 20 + below(60) },
      latencyMs: LATENCIES_MS[below(LATENCIES_MS.length)] ?? 200,
    },
    requestsInFlight: 1 + below(3),
    health: { healing: below(5) === 0 ? "suggest" : "automatic", maxRemedies: 2 + below(4) },
  });
  const syncId = engine.start();
  const isInProgress = () => readSync(engine.db, syncId)?.status === "in_progress";
  const checks: Check[] = [];
  const told: string[] = [];
  const tell = (what: string) => told.push(`${new Date(engine.clock.nowMs()).toISOString()} ${what}`);
  for (let minute = 0, hands = 0; minute < MINUTES && isInProgress(); minute++) {
    const firstMs = below(MINUTE_MS);
    await engine.clock.advance(firstMs);
    if (isInProgress() && hands < handsAtMost && below(3) === 0) {
      const sql = HANDS[below(HANDS.length)] ?? "";
      tell(sql);
      byHand(engine.db, sql);
      hands++;
    } else if (below(6) === 0) {
      tell("Strava fails");
      const action = { type: "status", status: 500 } as const;
      engine.sandbox.injectFault({ match: { kind: "detail" }, times: 1 + below(30), action });
    } else if (below(12) === 0) {
      tell("the daemon dies and is started again");
      engine = engine.rebooted();
    }
    await engine.clock.advance(MINUTE_MS - firstMs);
    checks.push(await checkNow(engine, syncId));
  }
  return { engine, syncId, checks, told };
}

for (let seed = 1; seed <= 30; seed++) {
  test(`seed ${seed}: whatever one hand did, the replay finds at each check what the check found`, async () => {
    const { engine, syncId, checks, told } = await live(seed, 1);
    const incident = exportedFrom(engine, syncId);
    expect({ told, found: inLines(replayAt(incident, checks)) }).toEqual({ told, found: inLines(checks) });
  });
}

// Hands upon hands delete what told of the ones before: between checks the replay may be early or late, and of very many
// findings it may miss one. Of these histories it misses none. Whether races have no batch or one that has ended cannot be told
// once all batches are deleted: either name will do.
for (let seed = 101; seed <= 115; seed++) {
  test(`seed ${seed}: whatever many hands did, the replay finds what a check found when it found and mended it`, async () => {
    const { engine, syncId, told } = await live(seed, MINUTES);
    const incident = exportedFrom(engine, syncId);
    const mended = incident.findings.filter((finding) => !finding.own_restart && finding.remedied_at !== null);
    const found = mended.map(({ kind, detected_at: at }) => ({ atMs: epochMs(at), kind }));
    const named = (checks: readonly Check[]) =>
      inLines(checks).map((line) => line.replace("stray_race", "missing_enrichment_batches"));
    expect({ told, found: named(replayAt(incident, found)) }).toEqual({ told, found: named(found) });
  });
}
