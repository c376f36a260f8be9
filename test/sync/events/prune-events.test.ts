import { expect, test } from "bun:test";
import { DAY_MS, HOUR_MS } from "../../../src/core/units.ts";
import type { Db } from "../../../src/db/open.ts";
import { EVENTS_KEPT } from "../../../src/db/strava-events.ts";
import { pruneCrowdedEvents } from "../../../src/sync/events/prune-events.ts";
import { pruneHistory } from "../../../src/sync/prune-history.ts";
import { emptyDb } from "../../support/database.ts";
import { createTestEngine } from "../../support/engine.ts";
import { passing } from "../../support/webhooks.ts";

/** So many events, of which the last `open` are not settled. */
function insertEvents(db: Db, events: { count: number; open: number; settledAtMs: number }): void {
  const { count, open, settledAtMs } = events;
  db.$client.run(
    `INSERT INTO strava_events (received_at_ms, subscription_id, object_type, object_id, aspect, owner_id, event_time_s, settled_at_ms, outcome)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     SELECT 1, 1, 'activity', i, 'create', ${settledAtMs}, 1, iif(i > ${count - open}, NULL, ${settledAtMs}), iif(i > ${count - open}, NULL, 'stored') FROM n`,
  );
}
const countEvents = (db: Db): unknown => db.$client.query("SELECT count(*) AS count FROM strava_events").get();

test("history is pruned of events a week after they were settled, whatever the retention; open ones stay", async () => {
  const engine = createTestEngine({ db: emptyDb() });
  const nowMs = engine.clock.nowMs();
  insertEvents(engine.db, { count: 1_300, open: 1, settledAtMs: nowMs - 7 * DAY_MS - 1 });
  insertEvents(engine.db, { count: 3, open: 1, settledAtMs: nowMs - 7 * DAY_MS + HOUR_MS });
  expect(await passing(engine, pruneHistory(engine.context, 365 * DAY_MS))).toBe(1_299);
  expect(countEvents(engine.db)).toEqual({ count: 4 });
});

test("after a flood only the newest 100,000 are kept; where there are few, nothing is written", async () => {
  const engine = createTestEngine({ db: emptyDb() });
  const settledAtMs = engine.clock.nowMs();
  insertEvents(engine.db, { count: EVENTS_KEPT, open: 0, settledAtMs });
  const before = engine.commits.transaction();
  expect(await passing(engine, pruneCrowdedEvents(engine.context))).toBe(0);
  expect(engine.commits.transaction()).toBe(before);
  insertEvents(engine.db, { count: 2_000, open: 10, settledAtMs: settledAtMs + 1 });
  expect(await passing(engine, pruneCrowdedEvents(engine.context))).toBe(2_000);
  expect(countEvents(engine.db)).toEqual({ count: EVENTS_KEPT });
});
