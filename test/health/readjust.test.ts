import { describe, expect, test } from "bun:test";
import { MINUTE_MS, plusMs } from "../../src/core/units.ts";
import type { Commits } from "../../src/db/group-commit.ts";
import { readjustWaits } from "../../src/health/readjust.ts";
import { emptyDb } from "../support/database.ts";
import { createTestEngine } from "../support/engine.ts";
import { byHand } from "../support/hand.ts";

describe("waits after the clock was set back", () => {
  test("more of them than a step takes are due, each once, though time goes on between the steps", async () => {
    const engine = createTestEngine({ db: emptyDb() });
    const { db, clock, context } = engine;
    const nowMs = clock.nowMs();
    byHand(
      db,
      `INSERT INTO strava_events (object_type, object_id, aspect, owner_id, subscription_id, event_time_s, received_at_ms, run_after_ms, updates_hash)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
       SELECT 'activity', i, 'create', 1, 1, 1, 1, ${plusMs(nowMs, 10 * MINUTE_MS)}, 'hash ' || i FROM n`,
    );
    let steps = 0;
    const commits: Commits = {
      ...context.commits,
      now: (work) => {
        if (++steps > 20) throw new Error("It goes on for ever");
        return context.commits.now(work);
      },
    };
    const breather = { breathe: () => clock.advance(0), turn: () => clock.advance(1) };
    await readjustWaits({ ...context, commits }, engine.processor, breather);
    expect(steps).toBe(4);
    const late = db.$client.query(`SELECT count(*) AS n FROM strava_events WHERE run_after_ms > ${nowMs}`).get();
    expect(late).toEqual({ n: 0 });
  });
});
