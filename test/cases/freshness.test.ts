import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { loadConfig } from "../../src/config.ts";
import { isPublishable } from "../../src/core/publication.ts";
import { DAY_MS, epochMs, HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { createJobs } from "../../src/daemon-jobs.ts";
import { readAthlete } from "../../src/db/athletes.ts";
import { readRaces } from "../../src/db/race-queries.ts";
import { races } from "../../src/db/schema.ts";
import { athletes } from "../../src/db/schema-athletes.ts";
import { createSeal } from "../../src/db/seal.ts";
import { createScheduler } from "../../src/scheduler/scheduler.ts";
import { type KeptTerms, keepTerms } from "../../src/sync/athletes/keep-terms.ts";
import { pruneHistory } from "../../src/sync/prune-history.ts";
import { createTestApi } from "../support/api.ts";
import { insertAthlete, insertRace, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand } from "../support/hand.ts";
import { activityIdAt, dailyRuns, engineWith, heldRaces, raceOf, stravaIdOf, syncToEnd } from "../support/syncs.ts";

const FRESH_MS = 7 * DAY_MS;

/**
 * The daemon's own jobs, by their default patterns, but for the checks of each minute: those have nothing to find here. The
 * scheduler looks once an hour and not once a minute, which makes days pass in a sixtieth of the time.
 */
function startSchedules(engine: TestEngine): void {
  const loaded = loadConfig({ env: {}, flags: {}, isTerminal: false, readFile: () => undefined });
  if (!loaded.ok) throw new Error("The default configuration is refused");
  const seal = createSeal({ key: new Uint8Array(32), randomBytes: (count) => new Uint8Array(count) });
  const jobs = createJobs({ ...engine, config: loaded.config, seal });
  const minutely = ["batch-processor", "health-check", "revoke-grants"];
  createScheduler({
    clock: {
      nowMs: () => engine.clock.nowMs(),
      after: (delayMs, work) => engine.clock.after(delayMs === MINUTE_MS ? HOUR_MS : delayMs, work),
    },
    timezone: "UTC",
    jobs: jobs.filter(({ job }) => !minutely.includes(job)),
    recorder: { ran: () => {}, skipped: () => {} },
  }).start();
}

/** One turn of the clocks' job, with what it commits. */
async function keepOnce({ context, processor, clock }: TestEngine): Promise<KeptTerms> {
  let kept: KeptTerms | undefined;
  const running = keepTerms(context, processor).then((done) => {
    kept = done;
  });
  while (kept === undefined) await clock.advance(0);
  await running;
  return kept;
}

/** Days pass with a turn of the clocks' job each, the last of them on the first moment of the day after. */
async function keepDaily(engine: TestEngine, days: number): Promise<KeptTerms[]> {
  const kept: KeptTerms[] = [];
  for (let day = 0; day < days; day++) {
    await engine.clock.advance(DAY_MS);
    kept.push(await keepOnce(engine));
  }
  return kept;
}

/** Time passes an hour at a time; `look` sees each of them. */
async function passDays(engine: TestEngine, days: number, look: () => void = () => {}): Promise<void> {
  for (let hour = 0; hour < days * 24; hour++) {
    await engine.clock.advance(HOUR_MS);
    look();
  }
}

describe("seven days", () => {
  test("case 72: with the default schedules every race, the oldest too, is seen again within 7 days, week after week", async () => {
    // More than a page: an incremental list does not reach the oldest.
    const engine = engineWith(dailyRuns(450, [0, 20, 449]));
    await syncToEnd(engine);
    startSchedules(engine);
    let oldestMs = 0;
    await passDays(engine, 15, () => {
      for (const race of heldRaces(engine)) oldestMs = Math.max(oldestMs, engine.clock.nowMs() - race.lastSeenAtMs);
    });
    expect(oldestMs).toBeGreaterThan(5 * DAY_MS);
    // With hours to spare: a list may have to wait for quota.
    expect(oldestMs).toBeLessThanOrEqual(FRESH_MS - 12 * HOUR_MS);
    expect(heldRaces(engine)).toHaveLength(3);
  });

  test("case 72: what vanished is withdrawn within 7 days even where it is older than any incremental list", async () => {
    const engine = engineWith(dailyRuns(450, [0, 449]));
    await syncToEnd(engine);
    startSchedules(engine);
    const old = activityIdAt(engine, 449);
    engine.sandbox.deleteActivity(old);
    await passDays(engine, 7);
    expect(raceOf(engine, old).withdrawnAtMs).not.toBeNull();
  });

  test("case 72: while Strava cannot be reached races become stale after 7 days, to the minute, and none is wiped", async () => {
    const { engine, get, patch } = createTestApi({
      started: false,
      sandbox: { club: { athletes: 1, activitiesEach: 10, racesEach: 2 } },
    });
    await patch("/api/admin/athletes/1", { publish: true });
    byHand(engine.db, "UPDATE athletes SET publish = 1");
    await syncToEnd(engine);
    const shown = async () => {
      const { items } = (await get("/api/admin/races")).body;
      const publishable = (await get("/api/admin/races?publishable=true")).body.items.length;
      const { freshness } = (await get("/api/admin/athletes/1")).body;
      return { stale: items.map((race: { stale: boolean }) => race.stale), publishable, athlete: freshness.stale };
    };
    byHand(engine.db, "UPDATE races SET visibility = 'everyone'");
    engine.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: { type: "html", status: 502 } });

    await engine.clock.advance(FRESH_MS - MINUTE_MS);
    expect(await shown()).toEqual({ stale: [false, false], publishable: 2, athlete: false });
    await engine.clock.advance(2 * MINUTE_MS);
    expect(await shown()).toEqual({ stale: [true, true], publishable: 0, athlete: true });
    await engine.clock.advance(60 * DAY_MS);
    await keepOnce(engine);
    expect(heldRaces(engine).map((race) => [race.name === "", race.withdrawnAtMs])).toEqual([
      [false, null],
      [false, null],
    ]);
    engine.sandbox.clearFaults();
    await syncToEnd(engine, { mode: "full" });
    expect(await shown()).toEqual({ stale: [false, false], publishable: 2, athlete: false });
  });
});

describe("48 hours", () => {
  /** A race that was enriched, and withdrawn by the list of a second sync. */
  async function withdrawn() {
    const engine = engineWith(dailyRuns(10, [0, 4]));
    await syncToEnd(engine);
    const id = activityIdAt(engine, 4);
    engine.sandbox.updateActivity(id, { name: "Never seen" });
    engine.sandbox.deleteActivity(id);
    await syncToEnd(engine, { mode: "full" });
    return { engine, id, keep: () => keepOnce(engine) };
  }

  test("case 72: what Strava said of a withdrawn race is wiped within them, and not in the first day", async () => {
    const { engine, id, keep } = await withdrawn();
    await engine.clock.advance(DAY_MS);
    expect(await keep()).toMatchObject({ wiped: 0 });
    expect(raceOf(engine, id)).toMatchObject({ name: "Morning Run", enrichment: "enriched" });
    await engine.clock.advance(23 * HOUR_MS - MINUTE_MS);
    expect(await keep()).toMatchObject({ wiped: 0 });
    await engine.clock.advance(MINUTE_MS);
    expect(await keep()).toMatchObject({ wiped: 1 });
    expect(raceOf(engine, id)).toMatchObject({
      name: "",
      polyline: null,
      summaryPolyline: null,
      description: null,
      distanceMeters: 0,
      movingSeconds: 0,
      enrichment: "unavailable",
      wipedAtMs: engine.clock.nowMs(),
    });
    expect(heldRaces(engine)).toHaveLength(2);
    expect(heldRaces(engine)[0]).toMatchObject({ name: "Morning Run", wipedAtMs: null });
    expect(await keep()).toEqual({ wiped: 0, forgotten: 0, erased: 0 });
  });

  test("case 72: a wiped race that comes back is the same race, fetched anew, and an admin's edit stands", async () => {
    const { engine, id, keep } = await withdrawn();
    byHand(engine.db, `UPDATE races SET edited_name = 'Ours', hidden = 1 WHERE strava_activity_id = ${id}`);
    const before = raceOf(engine, id);
    await engine.clock.advance(2 * DAY_MS);
    await keep();
    engine.sandbox.addActivity(stravaIdOf(engine), {
      id,
      workout_type: 1,
      name: "Back",
      start_date: "2025-11-12T08:00:00Z",
    });
    // Its detail does not come yet: what the list shows is there, and is wiped again should it vanish again.
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: 5, action: { type: "status", status: 500 } });
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, id)).toMatchObject({ name: "Back", enrichment: "failed", wipedAtMs: null });
    engine.sandbox.updateActivity(id, { distance: 5_000 });
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, id)).toMatchObject({
      id: before.id,
      name: "Back",
      editedName: "Ours",
      hidden: 1,
      enrichment: "enriched",
      withdrawnAtMs: null,
      wipedAtMs: null,
    });
  });
});

describe("30 days", () => {
  test("case 72: a wiped row is deleted after them, but for what an admin edited or hid", async () => {
    const db = emptyDb();
    const engine = engineWith(dailyRuns(1), { db });
    const athleteId = insertAthlete(db);
    const withdrawnAtMs = engine.clock.nowMs();
    const gone = { athleteId, withdrawnAtMs, enrichment: "unavailable" } as const;
    const [plain] = [
      insertRace(db, gone),
      insertRace(db, { ...gone, hidden: 1 }),
      insertRace(db, { ...gone, editedName: "Ours" }),
    ];
    const keep = () => keepOnce(engine);
    await engine.clock.advance(2 * DAY_MS);
    expect(await keep()).toMatchObject({ wiped: 3, forgotten: 0 });
    await keepDaily(engine, 27);
    await engine.clock.advance(DAY_MS - MINUTE_MS);
    expect(await keep()).toMatchObject({ forgotten: 0 });
    await engine.clock.advance(MINUTE_MS);
    expect(await keep()).toMatchObject({ forgotten: 1 });
    expect(
      db
        .select({ id: races.id })
        .from(races)
        .all()
        .map(({ id }) => id),
    ).not.toContain(plain);
    expect(db.select().from(races).all()).toHaveLength(2);
  });

  test("case 72: an athlete whose access is gone is erased within them, and one who connected again in time is not", async () => {
    const { engine, get } = createTestApi({
      started: false,
      sandbox: { club: { athletes: 2, activitiesEach: 10, racesEach: 2 } },
    });
    for (const n of [0, 1]) await syncToEnd(engine, { n });
    byHand(engine.db, "UPDATE athletes SET status = 'needs_reconnect'");
    const keep = () => keepOnce(engine);
    await keep();
    const due = (await get("/api/admin/athletes/1")).body.freshness.erasure_due_at;
    expect(due - engine.clock.nowMs()).toBeGreaterThan(29 * DAY_MS);
    expect(due - engine.clock.nowMs()).toBeLessThanOrEqual(30 * DAY_MS);
    expect((await keepDaily(engine, 29)).every(({ erased }) => erased === 0)).toBe(true);
    byHand(engine.db, "UPDATE athletes SET status = 'connected', needs_reconnect_since_ms = NULL WHERE id = 2");
    await engine.clock.advance(DAY_MS);
    expect(await keep()).toMatchObject({ erased: 1 });
    expect(readAthlete(engine.db, engine.athlete(0))).toBeUndefined();
    expect(heldRaces(engine).every((race) => race.athleteId === engine.athlete(1))).toBe(true);
    expect(engine.db.$client.query("SELECT count(*) AS grants FROM revocations").get()).toEqual({ grants: 1 });
  });

  test("case 72: the clocks are the daemon's own job, each hour", async () => {
    const engine = engineWith(dailyRuns(3, [0]));
    await syncToEnd(engine);
    startSchedules(engine);
    byHand(engine.db, "UPDATE athletes SET status = 'needs_reconnect'");
    await passDays(engine, 1);
    byHand(
      engine.db,
      "UPDATE athletes SET needs_reconnect_since_ms = needs_reconnect_since_ms - 29 * 86400000 + 7200000",
    );
    await passDays(engine, 1 / 24);
    expect(engine.db.select().from(athletes).all()).toHaveLength(1);
    await passDays(engine, 1 / 12);
    expect(engine.db.select().from(athletes).all()).toHaveLength(0);
  });
});

describe("a clock that was set forty days ahead", () => {
  /** Two athletes with races, of whom one has lost the access; a race of each was withdrawn. The clocks have been looked at. */
  async function doubted() {
    const engine = createTestEngine({
      db: emptyDb(),
      sandbox: { club: { athletes: 2, activitiesEach: 10, racesEach: 2 } },
    });
    for (const n of [0, 1]) await syncToEnd(engine, { n });
    byHand(engine.db, "UPDATE athletes SET status = 'needs_reconnect' WHERE id = 1");
    byHand(
      engine.db,
      `UPDATE races SET withdrawn_at_ms = ${engine.clock.nowMs()} WHERE id IN (SELECT min(id) FROM races GROUP BY athlete_id)`,
    );
    const nothing = { wiped: 0, forgotten: 0, erased: 0 };
    expect(await keepOnce(engine)).toEqual(nothing);
    const rightMs = engine.clock.nowMs();
    engine.clock.jumpTo(rightMs + 40 * DAY_MS);
    return { engine, rightMs, nothing };
  }

  test("wipes, deletes and erases nothing, nor after a restart; and what it would have is there once it is set right", async () => {
    const { engine, rightMs, nothing } = await doubted();
    const restarted = engine.rebooted();
    expect(await keepOnce(restarted)).toEqual(nothing);
    expect(restarted.lines.join("")).toContain("terms.clock_doubted");
    engine.clock.jumpTo(rightMs);
    expect((await keepDaily(restarted, 1))[0]).toEqual(nothing);
    expect(heldRaces(engine)).toHaveLength(4);
    expect(heldRaces(engine).every(({ wipedAtMs }) => wipedAtMs === null)).toBe(true);
  });

  test("does as soon as an answer of Strava's says that it is right, since so much time has passed", async () => {
    const { engine } = await doubted();
    await syncToEnd(engine, { n: 1, mode: "full" });
    expect(await keepOnce(engine)).toMatchObject({ wiped: 1, erased: 1 });
  });

  test("does when it has stood so for forty hours in which nobody answered: the terms bind without Strava, too", async () => {
    const { engine, nothing } = await doubted();
    const kept: KeptTerms[] = [];
    for (let hour = 0; hour < 40; hour++) {
      kept.push(await keepOnce(engine));
      await engine.clock.advance(HOUR_MS);
    }
    expect(kept[0]).toEqual(nothing);
    expect(kept.findIndex(({ erased }) => erased > 0)).toBeGreaterThanOrEqual(27);
    expect(kept.reduce((sum, { erased }) => sum + erased, 0)).toBe(1);
  });

  test("deletes no history either, and folds up none of the days that were counted", async () => {
    const { engine, rightMs } = await doubted();
    const prune = async () => {
      let deleted: number | undefined;
      void pruneHistory(engine.context, 30 * DAY_MS).then((rows) => {
        deleted = rows;
      });
      while (deleted === undefined) await engine.clock.advance(0);
      return deleted;
    };
    const countedDays = () =>
      engine.db.$client.query("SELECT count(*) AS days FROM counters WHERE day_start_ms > 0").get();
    const before = countedDays();
    expect(await prune()).toBe(0);
    expect(countedDays()).toEqual(before);
    engine.clock.jumpTo(rightMs);
    await keepDaily(engine, 40);
    expect(await prune()).toBeGreaterThan(0);
  });
});

test("what the list of publishable races selects is what the rule says of each, whatever the rows", () => {
  const row = fc.record({
    publish: fc.constantFrom(0, 1),
    athleteHidden: fc.constantFrom(0, 1),
    hidden: fc.constantFrom(0, 1),
    visibility: fc.constantFrom("everyone" as const, "followers_only" as const, "only_me" as const),
    withdrawnAtMs: fc.constantFrom(null, NOW),
    ageMs: fc.constantFrom(0, FRESH_MS - 1, FRESH_MS, FRESH_MS + 1),
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (rows) => {
      const db = emptyDb();
      const expected = rows.flatMap(({ publish, athleteHidden, ageMs, ...race }) => {
        const athleteId = insertAthlete(db, { publish, hidden: athleteHidden });
        const lastSeenAtMs = epochMs(NOW - ageMs);
        const id = insertRace(db, { athleteId, lastSeenAtMs, ...race });
        const facts = {
          isConsented: publish === 1,
          isAthleteHidden: athleteHidden === 1,
          isRaceHidden: race.hidden === 1,
          visibility: race.visibility,
          withdrawnAtMs: race.withdrawnAtMs,
          lastSeenAtMs,
        };
        return isPublishable(facts, NOW) ? [id] : [];
      });
      const filter = { includeWithdrawn: false, publishableSinceMs: NOW - FRESH_MS };
      const listed = readRaces(db, filter, undefined, 50).map(({ id }) => id);
      expect(listed.toSorted((a, b) => a - b)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});
