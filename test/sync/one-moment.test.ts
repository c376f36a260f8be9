import { expect, test } from "bun:test";
import { createTestEngine } from "../support/engine.ts";

test("what belongs together bears the same time, although the clock runs on while it is written", () => {
  const engine = createTestEngine();
  const { clock } = engine;
  // Each look at the machine's clock is a little later than the one before.
  const nowMs = clock.nowMs.bind(clock);
  let looks = 0;
  Object.assign(clock, { nowMs: () => nowMs() + looks++ });
  engine.start();
  const times = engine.db.$client
    .query<{ at: number }, []>(
      "SELECT started_at_ms AS at FROM syncs UNION ALL SELECT created_at_ms FROM batches UNION ALL SELECT at_ms FROM sync_logs",
    )
    .all();
  expect(times.length).toBeGreaterThanOrEqual(3);
  expect(new Set(times.map(({ at }) => at)).size).toBe(1);
});
