import type { SyncId } from "../../src/core/units.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "./engine.ts";
import { stepUntil, tickMinutes } from "./hand.ts";

/** A sync of 50 races, stopped in the middle of a phase: some work done, one batch in flight. */
export async function inTheMiddle(
  during: "discovery" | "enrichment",
  options: TestEngineOptions = {},
): Promise<{ engine: TestEngine; syncId: SyncId }> {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 500, racesEach: 50 }, latencyMs: 200 },
    ...options,
  });
  // The daemon has been there for a while: leases prove something.
  await tickMinutes(engine, 1);
  const syncId = engine.start();
  const has = (status: string) =>
    engine.db.$client.query("SELECT 1 FROM batches WHERE type = ?1 AND status = ?2").get(during, status) !== null;
  await stepUntil(engine, () => has("completed") && has("processing"));
  return { engine, syncId };
}
