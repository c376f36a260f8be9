/** What changes at Strava after a sync, and how the next ones take it over. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DAY_MS, epochMs, type Fetch, HOUR_MS, MINUTE_MS, plusMs, SECOND_MS } from "../../src/core/units.ts";
import { readAthlete } from "../../src/db/athletes.ts";
import { storeGovernorState } from "../../src/db/governor-state.ts";
import { athletes } from "../../src/db/schema-athletes.ts";
import type { ActivityPatch, SandboxActivity } from "../../src/sandbox/activity.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { START_MS, type TestEngine } from "../support/engine.ts";
import { byHand, stepUntil } from "../support/hand.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  RACE,
  raceOf,
  requestsOf,
  startedAgo,
  stravaIdOf,
  stravaTime,
  syncOf,
  syncToEnd,
  untilEnded,
} from "../support/syncs.ts";

const RESCAN_MS = 30 * DAY_MS;
const map = (summary_polyline: string | null) => ({ id: "a1", summary_polyline, resource_state: 2 });

const shownIds = (engine: TestEngine): number[] =>
  heldRaces(engine).flatMap((race) => (race.withdrawnAtMs === null ? [race.stravaActivityId] : []));

/** Synced completely at START_MS; a day has passed. Of 300 daily runs those at 2, 10 and 100 are races. */
async function dayAfter(scope?: string): Promise<TestEngine> {
  const engine = engineWith(dailyRuns(300, [2, 10, 100]), scope === undefined ? {} : { scope });
  await syncToEnd(engine);
  await engine.clock.advance(DAY_MS);
  engine.sandbox.clearLedger();
  return engine;
}

describe("what comes late", () => {
  for (const [what, agoMs, isFound] of [
    ["just inside the re-scan", RESCAN_MS - SECOND_MS, true],
    ["just behind it", RESCAN_MS + SECOND_MS, false],
  ] as const) {
    test(`an upload that started ${what} is found by the next ${isFound ? "incremental" : "complete"} list`, async () => {
      // So many that the page which reaches the bound shows nothing behind it but its neighbour.
      const dense = Array.from({ length: 600 }, (_, place) => startedAgo(RESCAN_MS + (place - 300) * SECOND_MS * 2));
      const engine = engineWith(dense);
      await syncToEnd(engine);
      await engine.clock.advance(DAY_MS);
      const late = engine.sandbox.addActivity(
        stravaIdOf(engine),
        startedAgo(agoMs + (isFound ? 0 : 10 * MINUTE_MS), RACE),
      );
      await syncToEnd(engine, { mode: "incremental" });
      expect(shownIds(engine)).toEqual(isFound ? [late.id] : []);
      await syncToEnd(engine, { mode: "full" });
      expect(shownIds(engine)).toEqual([late.id]);
    });
  }

  test("a race tag put on, or taken off, behind the re-scan is seen by the next complete list and not before", async () => {
    const engine = await dayAfter();
    const [tagged, untagged] = [activityIdAt(engine, 250), activityIdAt(engine, 100)];
    // Behind the 200 that the page of an incremental sync shows, and so that it would show them if it went on.
    engine.sandbox.updateActivity(tagged, RACE);
    await syncToEnd(engine, { mode: "incremental" });
    expect(shownIds(engine)).not.toContain(tagged);
    engine.sandbox.updateActivity(untagged, { workout_type: 0 });
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, tagged)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
    expect(raceOf(engine, untagged)).toMatchObject({ withdrawnReason: "no longer tagged as a race" });
  });

  test("a race that is untagged, edited, and tagged again is back with its edit, for one detail", async () => {
    const engine = await dayAfter();
    const id = activityIdAt(engine, 10);
    engine.sandbox.updateActivity(id, { workout_type: 3 });
    await syncToEnd(engine);
    expect(shownIds(engine)).not.toContain(id);
    engine.sandbox.updateActivity(id, { name: "Edited meanwhile", description: "So it was one." });
    await syncToEnd(engine);
    expect(requestsOf(engine, "detail")).toBe(0);
    engine.sandbox.updateActivity(id, RACE);
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({
      ...{ name: "Edited meanwhile", description: "So it was one.", enrichment: "enriched" },
      ...{ withdrawnAtMs: null, withdrawnReason: null },
    });
    expect(requestsOf(engine, "detail")).toBe(1);
  });

  test("a race that turns out to have been a ride is withdrawn, and a run that was taken for a ride comes in", async () => {
    const engine = await dayAfter();
    const [ride, run] = [activityIdAt(engine, 2), activityIdAt(engine, 5)];
    engine.sandbox.updateActivity(ride, { sport_type: "Ride", workout_type: 11 });
    engine.sandbox.updateActivity(run, { sport_type: "TrailRun", workout_type: 1 });
    await syncToEnd(engine);
    expect(raceOf(engine, ride)).toMatchObject({ withdrawnReason: "no longer tagged as a race" });
    expect(raceOf(engine, run)).toMatchObject({ sportType: "TrailRun", enrichment: "enriched" });
  });
});

describe("what is hidden, and shown again", () => {
  for (const mode of ["incremental", "full"] as const) {
    test(`with activity:read, a race made private leaves with the next ${mode} list and is back, as it then is, with the one after it was opened`, async () => {
      const engine = await dayAfter("read,activity:read");
      const id = activityIdAt(engine, 10);
      engine.sandbox.updateActivity(id, { visibility: "only_me" });
      await syncToEnd(engine, { mode });
      expect(raceOf(engine, id)).toMatchObject({ withdrawnReason: "no longer in the list" });
      engine.sandbox.updateActivity(id, { visibility: "followers_only", name: "Opened" });
      await engine.clock.advance(HOUR_MS);
      await syncToEnd(engine, { mode });
      expect(raceOf(engine, id)).toMatchObject({
        ...{ visibility: "followers_only", name: "Opened", enrichment: "enriched" },
        ...{ withdrawnAtMs: null, withdrawnReason: null },
      });
      expect(shownIds(engine).length).toBe(3);
    });
  }

  test("with activity:read_all, a race made private stays, as one that only its athlete may see", async () => {
    const engine = await dayAfter("read,activity:read_all");
    const id = activityIdAt(engine, 10);
    engine.sandbox.updateActivity(id, { visibility: "only_me" });
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({ visibility: "only_me", withdrawnAtMs: null });
    expect(requestsOf(engine, "detail")).toBe(0);
  });

  test("a private race of an athlete who grants less from now on leaves; one who grants more brings it back", async () => {
    const engine = engineWith([{ ...RACE, visibility: "only_me" }, RACE, {}]);
    await syncToEnd(engine);
    const grant = (scope: string) => {
      const { accessToken, refreshToken, expiresAtSeconds } = engine.sandbox.grantAgain(stravaIdOf(engine), scope);
      const expiresAtMs = (expiresAtSeconds * 1_000) as never;
      engine.commits.now(() =>
        engine.context.tokens.store(engine.athlete(), { accessToken, refreshToken, expiresAtMs }),
      );
    };
    grant("read,activity:read");
    await engine.clock.advance(HOUR_MS);
    await syncToEnd(engine);
    expect(shownIds(engine)).toEqual([activityIdAt(engine, 1)]);
    grant("read,activity:read_all");
    await engine.clock.advance(HOUR_MS);
    await syncToEnd(engine);
    expect(shownIds(engine).length).toBe(2);
    expect(raceOf(engine, activityIdAt(engine, 0))).toMatchObject({ visibility: "only_me", enrichment: "enriched" });
  });

  test("start times that are hidden move to midnight and a second: the same races, each once, also at the bound of the re-scan", async () => {
    const engine = engineWith(
      Array.from({ length: 300 }, (_, place) => startedAgo(place * DAY_MS + 9 * HOUR_MS, place % 10 === 9 ? RACE : {})),
    );
    await syncToEnd(engine);
    const before = shownIds(engine);
    for (const { id, start_date } of engine.sandbox.activities(stravaIdOf(engine)))
      engine.sandbox.updateActivity(id, { start_date: `${start_date.slice(0, 10)}T00:00:01Z` });
    await engine.clock.advance(DAY_MS);
    await syncToEnd(engine, { mode: "incremental" });
    expect(shownIds(engine).sort()).toEqual([...before].sort());
    await syncToEnd(engine, { mode: "full" });
    expect(shownIds(engine).sort()).toEqual([...before].sort());
    for (const race of heldRaces(engine)) expect(race.startLocal.slice(10)).toBe("T00:00:01");
  });
});

describe("a start that moves", () => {
  /** Two races, ten days old and 300 days old, among so many runs that an incremental list stops at its bound. */
  async function twoRaces(): Promise<{ engine: TestEngine; near: number; far: number }> {
    const engine = engineWith(dailyRuns(400, [10, 300]));
    await syncToEnd(engine);
    await engine.clock.advance(DAY_MS);
    engine.sandbox.clearLedger();
    return { engine, near: activityIdAt(engine, 10), far: activityIdAt(engine, 300) };
  }

  test("from inside the re-scan to behind it: the race stays, at its new date, for one detail", async () => {
    const { engine, near, far } = await twoRaces();
    const start_date = stravaTime(START_MS - 350 * DAY_MS);
    engine.sandbox.updateActivity(near, { start_date });
    const sync = await syncToEnd(engine, { mode: "incremental" });
    expect(sync).toMatchObject({ status: "completed", racesEnriched: 1 });
    expect(requestsOf(engine, "detail")).toBe(1);
    expect(raceOf(engine, near)).toMatchObject({
      ...{ startAtMs: Date.parse(start_date), enrichment: "enriched" },
      ...{ withdrawnAtMs: null, withdrawnReason: null },
    });
    expect(shownIds(engine).sort()).toEqual([near, far].sort());
    await syncToEnd(engine, { mode: "full" });
    expect(shownIds(engine).sort()).toEqual([near, far].sort());
  });

  test("from behind the re-scan to inside it: the same race, not another", async () => {
    const { engine, near, far } = await twoRaces();
    engine.sandbox.updateActivity(far, { start_date: stravaTime(START_MS - 5 * DAY_MS) });
    await syncToEnd(engine, { mode: "incremental" });
    expect(heldRaces(engine).map((race) => race.stravaActivityId)).toEqual([far, near]);
    expect(shownIds(engine).length).toBe(2);
  });

  test("one that was deleted instead is withdrawn: its detail is asked for once and answered 404, and that is the end of it", async () => {
    const { engine, near, far } = await twoRaces();
    engine.sandbox.deleteActivity(near);
    for (const mode of ["incremental", "incremental", "full"] as const) {
      await engine.clock.advance(HOUR_MS);
      expect(await syncToEnd(engine, { mode })).toMatchObject({ status: "completed", racesFailed: 0, warnings: "[]" });
      expect(raceOf(engine, near)).toMatchObject({ withdrawnReason: "no longer in the list" });
      expect(shownIds(engine)).toEqual([far]);
    }
    expect(requestsOf(engine, "detail")).toBe(1);
  });

  test("one that was moved behind the bound and is no race any more is withdrawn for that", async () => {
    const { engine, near } = await twoRaces();
    engine.sandbox.updateActivity(near, { start_date: stravaTime(START_MS - 350 * DAY_MS), workout_type: 0 });
    await syncToEnd(engine, { mode: "incremental" });
    expect(raceOf(engine, near)).toMatchObject({ withdrawnReason: "no longer tagged as a race" });
  });

  test("while Strava fails on its detail, a race that left the list stays withdrawn, and the next complete list decides", async () => {
    const { engine, near } = await twoRaces();
    engine.sandbox.updateActivity(near, { start_date: stravaTime(START_MS - 350 * DAY_MS) });
    engine.sandbox.injectFault({ match: { activityId: near }, times: 5, action: { type: "status", status: 500 } });
    expect(await syncToEnd(engine, { mode: "incremental" })).toMatchObject({ status: "completed", racesFailed: 1 });
    expect(raceOf(engine, near)).toMatchObject({ enrichment: "failed", withdrawnReason: "no longer in the list" });
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, near)).toMatchObject({ withdrawnAtMs: null, enrichment: "enriched" });
  });
});

describe("what is replaced", () => {
  for (const mode of ["incremental", "full"] as const) {
    test(`a race that is deleted and uploaded again with the same start is withdrawn, and the new one held, by the next ${mode} list`, async () => {
      const engine = await dayAfter();
      const old = activityIdAt(engine, 10);
      const { start_date, name } = raceAtStrava(engine, old);
      engine.sandbox.deleteActivity(old);
      const again = engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, start_date, name });
      await syncToEnd(engine, { mode });
      expect(raceOf(engine, old)).toMatchObject({ withdrawnReason: "no longer in the list" });
      expect(raceOf(engine, again.id)).toMatchObject({
        enrichment: "enriched",
        startAtMs: raceOf(engine, old).startAtMs,
      });
      expect(shownIds(engine).length).toBe(3);
    });
  }

  test("two races in one second, one of which goes: the other stays", async () => {
    const engine = engineWith([startedAgo(3 * DAY_MS, RACE), startedAgo(3 * DAY_MS, RACE)]);
    await syncToEnd(engine);
    const [one, other] = [activityIdAt(engine, 0), activityIdAt(engine, 1)].sort();
    engine.sandbox.deleteActivity(one ?? 0);
    await engine.clock.advance(HOUR_MS);
    await syncToEnd(engine);
    expect(shownIds(engine)).toEqual([other ?? 0]);
  });

  test("a clock of Strava's that turns out to be behind ours withdraws nothing that began in between", async () => {
    const engine = engineWith([startedAgo(5 * SECOND_MS, RACE), startedAgo(DAY_MS, RACE)], {
      sandbox: { skewMs: -90 * SECOND_MS },
    });
    // The first list begins by our clock, since nothing is known of Strava's; the next one by Strava's, 90 s earlier.
    await syncToEnd(engine);
    expect(shownIds(engine).length).toBe(2);
    await engine.clock.advance(10 * SECOND_MS);
    await syncToEnd(engine, { mode: "full" });
    expect(shownIds(engine).length).toBe(2);
  });

  for (const mode of ["full", "incremental"] as const) {
    test(`a clock of ours that was ahead and has been set right: a list (${mode}) that begins too early withdraws nothing of what it does not show`, async () => {
      const before = engineWith([startedAgo(12 * HOUR_MS, RACE), startedAgo(2 * DAY_MS, RACE)]);
      await syncToEnd(before);
      // What was learned of Strava's clock while ours was ahead: it looks as if it were far behind.
      storeGovernorState(before.db, JSON.stringify({ skew_ms: -15 * HOUR_MS }));
      const engine = before.rebooted();
      await syncToEnd(engine, { mode });
      expect(shownIds(engine).length).toBe(2);
      // And it does not count as having seen the days that it did not show.
      const [athlete] = engine.db.select().from(athletes).all();
      const reachedMs = athlete?.lastCompleteListAtMs ?? 0;
      if (mode === "full") expect(engine.clock.nowMs() - reachedMs).toBeGreaterThan(15 * HOUR_MS - MINUTE_MS);
      await syncToEnd(engine, { mode });
      expect(shownIds(engine).length).toBe(2);
      expect(requestsOf(engine, "detail")).toBe(2);
    });
  }

  test("a clock of ours that is hours ahead, at a Strava that refuses what lies in the future: one question is refused, and no more", async () => {
    const engine = engineWith([startedAgo(16 * HOUR_MS, RACE), startedAgo(2 * DAY_MS, RACE)], {
      sandbox: { skewMs: -15 * HOUR_MS, refuseFutureBefore: true },
    });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 2 });
    const lists = engine.sandbox.ledger().filter(({ kind }) => kind === "list");
    expect(lists.filter(({ status }) => status === 400).length).toBeLessThanOrEqual(1);
    engine.sandbox.clearLedger();
    await engine.clock.advance(HOUR_MS);
    expect(await syncToEnd(engine, { mode: "full" })).toMatchObject({ status: "completed", activitiesListed: 2 });
    expect(engine.sandbox.ledger().map(({ status }) => status)).not.toContain(400);
  });

  test("a clock that is set back in the middle of a walk skips nothing of it", async () => {
    const runs = dailyRuns(450, [2, 210, 300, 420]);
    const engine = engineWith(runs, { sandbox: { latencyMs: 50 } });
    const syncId = engine.start(0, { mode: "full" });
    await engine.clock.advance(20);
    // The first page is on its way, and the second yet to be asked for.
    expect([requestsOf(engine, "list"), syncOf(engine, syncId).activitiesListed]).toEqual([1, 0]);
    engine.clock.setBack(300 * DAY_MS);
    await untilEnded(engine, syncId);
    expect(shownIds(engine).length).toBe(4);
  });

  test("a walk that the version before began, which noted no end of its list, counts as far as its sync's start", async () => {
    const engine = engineWith(dailyRuns(450, [2, 210, 300, 420]), { sandbox: { latencyMs: 500 } });
    await syncToEnd(engine);
    await engine.clock.advance(HOUR_MS);
    engine.sandbox.deleteActivity(activityIdAt(engine, 2));
    const syncId = engine.start(0, { mode: "full" });
    await stepUntil(engine, () => syncOf(engine, syncId).activitiesListed > 0);
    byHand(engine.db, "UPDATE syncs SET list_to_s = NULL");
    const next = engine.rebooted();
    await untilEnded(next, syncId);
    expect(readAthlete(next.db, next.athlete())?.lastCompleteListAtMs).toBe(
      epochMs(Math.floor(syncOf(next, syncId).startedAtMs / SECOND_MS) * SECOND_MS),
    );
    expect(shownIds(next).length).toBe(3);
  });

  test("a complete list that a clock dated in the future, before it was set back, bounds nothing", async () => {
    const engine = engineWith([startedAgo(2 * DAY_MS, RACE)]);
    await syncToEnd(engine);
    engine.db
      .update(athletes)
      .set({ lastCompleteListAtMs: plusMs(engine.clock.nowMs(), 365 * DAY_MS) })
      .run();
    const late = engine.sandbox.addActivity(stravaIdOf(engine), startedAgo(3 * DAY_MS, RACE));
    engine.sandbox.deleteActivity(activityIdAt(engine, 0));
    await syncToEnd(engine, { mode: "incremental" });
    expect(shownIds(engine)).toEqual([late.id]);
  });
});

function raceAtStrava(engine: TestEngine, id: number): SandboxActivity {
  const found = engine.sandbox.activities(stravaIdOf(engine)).find((activity) => activity.id === id);
  if (found === undefined) throw new Error(`Strava has no activity ${id}`);
  return found;
}

/** What somebody does at Strava to the place-th activity, or to the list. */
const edit = fc.oneof(
  fc.record({ do: fc.constant("add" as const), days: fc.nat(60), isRace: fc.boolean() }),
  fc.record({ do: fc.constant("delete" as const), place: fc.nat(99) }),
  fc.record({
    do: fc.constant("patch" as const),
    place: fc.nat(99),
    patch: fc.constantFrom<ActivityPatch[]>(
      { workout_type: 1 },
      { workout_type: 1 },
      { workout_type: 0 },
      { workout_type: null },
      { visibility: "only_me" },
      { visibility: "followers_only" },
      { visibility: "everyone" },
      { sport_type: "TrailRun" },
      { sport_type: "Ride" },
      { sport_type: "Run" },
      { map: null, polyline: undefined },
      { map: map("coarse"), polyline: "fine" },
      { map: map(""), polyline: null },
      { distance: 5_000.5, moving_time: 1_200, elapsed_time: 1_300 },
      { total_elevation_gain: 99.5 },
      { utc_offset: 36_000, timezone: "(GMT+10:00) Australia/Sydney" },
      { name: "Edited", description: "Told again." },
      { name: "Edited twice", description: null },
    ),
  }),
  fc.record({ do: fc.constant("move" as const), place: fc.nat(99), days: fc.nat(60) }),
);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant("edit" as const), edit, duringNextSync: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("sync" as const), mode: fc.constantFrom("full", "incremental") }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("wait" as const), hours: fc.nat(72) }) },
);

test("I11: after whatever was edited between syncs and while they ran, a full sync leaves held what Strava lists to the token, field by field", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 30 }),
      fc.constantFrom("read,activity:read", "read,activity:read_all"),
      async (steps, scope) => {
        const pending: (() => void)[] = [];
        const engine: TestEngine = engineWith(
          Array.from({ length: 45 }, (_, place) => startedAgo((place * 1.4 + 1) * DAY_MS, place % 3 === 0 ? RACE : {})),
          { scope, fetch: (sandbox) => editingFetch(sandbox, pending) },
        );
        await syncToEnd(engine);
        for (const each of steps) {
          if (each.what === "sync") await syncToEnd(engine, { mode: each.mode });
          else if (each.what === "wait") engine.clock.jumpTo(engine.clock.nowMs() + each.hours * HOUR_MS);
          else if (each.duringNextSync) pending.push(() => applyEdit(engine, each.edit));
          else applyEdit(engine, each.edit);
        }
        pending.length = 0;
        engine.clock.jumpTo(engine.clock.nowMs() + MINUTE_MS);
        const sync = await syncToEnd(engine, { mode: "full" });
        expect(sync.status).toBe("completed");
        if (sync.warnings !== "[]") {
          // A list that shows none of the races is believed when a second one says so.
          expect(listedOf(engine, scope)).toEqual([]);
          engine.clock.jumpTo(engine.clock.nowMs() + 2 * HOUR_MS);
          await syncToEnd(engine, { mode: "full" });
        }
        expect(heldOf(engine)).toEqual(listedOf(engine, scope));
      },
    ),
    { numRuns: 20, endOnFailure: true },
  );
}, 20_000);

/** After each answer of a list or a detail, one of the edits that wait for it is made: before the engine has the answer. */
function editingFetch(sandbox: Sandbox, pending: (() => void)[]): Fetch {
  return async (request) => {
    const response = await sandbox.fetch(request);
    if (request.method === "GET") pending.shift()?.();
    return response;
  };
}

function applyEdit(engine: TestEngine, change: typeof edit extends fc.Arbitrary<infer Edit> ? Edit : never): void {
  const { sandbox, clock } = engine;
  const startOf = (days: number) => ({ start_date: stravaTime(clock.nowMs() - days * DAY_MS - 1_000) });
  if (change.do === "add") {
    sandbox.addActivity(stravaIdOf(engine), { ...(change.isRace ? RACE : {}), ...startOf(change.days) });
    return;
  }
  const activities = sandbox.activities(stravaIdOf(engine));
  const chosen = activities[change.place % Math.max(1, activities.length)];
  if (chosen === undefined) return;
  if (change.do === "delete") sandbox.deleteActivity(chosen.id);
  else sandbox.updateActivity(chosen.id, change.do === "move" ? startOf(change.days) : change.patch);
}

/** What is held and not withdrawn, in the words of Strava's list and detail. */
function heldOf(engine: TestEngine): unknown[] {
  return heldRaces(engine)
    .filter((race) => race.withdrawnAtMs === null)
    .map((race) => ({
      id: race.stravaActivityId,
      name: race.name,
      sport: race.sportType,
      numbers: [race.distanceMeters, race.movingSeconds, race.elapsedSeconds, race.elevationGainMeters],
      start: [race.startAtMs, race.startLocal, race.timezone, race.utcOffsetSeconds],
      visibility: race.visibility,
      tracks: [race.summaryPolyline, race.polyline],
      description: race.description,
      enrichment: race.enrichment,
    }));
}

function listedOf(engine: TestEngine, scope: string): unknown[] {
  return engine.sandbox
    .activities(stravaIdOf(engine))
    .filter((activity) => activity.type === "Run" && activity.workout_type === 1)
    .filter((activity) => activity.visibility !== "only_me" || scope.includes("read_all"))
    .map((activity) => ({
      id: activity.id,
      name: activity.name,
      sport: activity.sport_type,
      numbers: [activity.distance, activity.moving_time, activity.elapsed_time, activity.total_elevation_gain],
      start: [
        Date.parse(activity.start_date),
        activity.start_date_local.slice(0, 19),
        activity.timezone,
        activity.utc_offset,
      ],
      visibility: activity.visibility,
      tracks: [activity.map?.summary_polyline || null, polylineOf(engine, activity.id)],
      description: engine.sandbox.detail(activity.id)?.description ?? null,
      enrichment: "enriched",
    }));
}

function polylineOf(engine: TestEngine, id: number): string | null {
  const { map: track } = engine.sandbox.detail(id) as { map?: { polyline: string | null } };
  return track?.polyline || null;
}
