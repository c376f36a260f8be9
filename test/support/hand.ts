import type { Enrichment } from "../../src/core/enrichment.ts";
import type { Db } from "../../src/db/open.ts";
import type { TestEngine } from "./engine.ts";

/** Changes rows as a hand with a shell would: foreign keys off, checks ignored, unique indexes standing. */
export function byHand(db: Db, sql: string): void {
  const client = db.$client;
  client.run("PRAGMA foreign_keys = OFF");
  client.run("PRAGMA ignore_check_constraints = ON");
  client.run(sql);
  client.run("PRAGMA foreign_keys = ON");
  client.run("PRAGMA ignore_check_constraints = OFF");
}

/** How many races are in a state, over all athletes. */
export function countRaces(db: Db, enrichment: Enrichment): number {
  return (
    db.$client
      .query<{ count: number }, [string]>("SELECT count(*) AS count FROM races WHERE enrichment = ?1")
      .get(enrichment)?.count ?? 0
  );
}

/** Moves the clock on in small steps until something holds; throws when it never does. */
export async function stepUntil(
  engine: Pick<TestEngine, "clock">,
  holds: () => boolean,
  limitMs = 120_000,
): Promise<void> {
  const stepMs = 10;
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs += stepMs) {
    if (holds()) return;
    await engine.clock.advance(stepMs);
  }
  throw new Error(`It did not come about within ${limitMs / 1000} s of simulated time`);
}

/** Lets minutes pass, each ended by the processor's tick and a health check, as the scheduler would. */
export async function tickMinutes(
  engine: Pick<TestEngine, "clock" | "processor" | "monitor">,
  minutes: number,
): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await engine.clock.advance(60_000);
    engine.processor.tick();
    await engine.monitor.tick();
    await engine.clock.advance(0);
  }
}
