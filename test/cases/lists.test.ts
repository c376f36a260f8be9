/** Cases 1 to 18 of what Strava does: lists and paging. First what Strava answers, then what the engine makes of it. */

import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS } from "../../src/core/units.ts";
import type { ActivityPatch } from "../../src/sandbox/activity.ts";
import { aMinuteApart, get, json, list, NOW_SECONDS, names, startingAt, visit } from "../sandbox/visit.ts";
import { createTestApi } from "../support/api.ts";
import { emptyDb } from "../support/database.ts";
import { START_MS, type TestEngine } from "../support/engine.ts";
import { type AnsweredPage, onEachPage } from "../support/list-pages.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  PLENTY,
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

/** The queries of the engine's list requests, in order. */
const listQueries = (engine: TestEngine): URLSearchParams[] =>
  engine.sandbox
    .ledger()
    .filter((entry) => entry.kind === "list")
    .map((entry) => new URLSearchParams(entry.path.split("?")[1]));

/** Activities a second apart, the newest an hour old. */
const secondsApart = (count: number, patchAt: (place: number) => ActivityPatch = () => ({})): ActivityPatch[] =>
  Array.from({ length: count }, (_, place) => startedAgo(HOUR_MS + place * SECOND_MS, patchAt(place)));

/** So many runs, one an hour: 200 of them are a page, and so is a little more than a week. */
const hourlyRuns = (count: number, raceAt: readonly number[] = []): ActivityPatch[] =>
  Array.from({ length: count }, (_, place) => startedAgo((place + 1) * HOUR_MS, raceAt.includes(place) ? RACE : {}));

/** What the athlete's token would be shown of races now. */
const racesAtStrava = (engine: TestEngine): number[] =>
  engine.sandbox
    .activities(stravaIdOf(engine))
    .filter((activity) => activity.workout_type === 1)
    .map(({ id }) => id);

const shownIds = (engine: TestEngine): number[] =>
  heldRaces(engine)
    .filter((race) => race.withdrawnAtMs === null)
    .map((race) => race.stravaActivityId);

const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);

describe("the order of lists", () => {
  test("case 1: without a filter the newest come first, 30 a page, and 200 where that is asked for", async () => {
    const place = visit(aMinuteApart(230));
    expect(names(await list(place))).toEqual(Array.from({ length: 30 }, (_, at) => `Run ${at + 1}`));
    expect(names(await list(place, "?per_page=200"))).toEqual(Array.from({ length: 200 }, (_, at) => `Run ${at + 1}`));
    expect((await list(place, "?per_page=200&page=2")).length).toBe(30);
  });

  test("case 1: the engine asks for pages of 200, the most that there is", async () => {
    const engine = engineWith(dailyRuns(230));
    await syncToEnd(engine);
    expect(new Set(listQueries(engine).map((query) => query.get("per_page")))).toEqual(new Set(["200"]));
  });

  test("case 2: with `before` the newest come first, and the engine takes that way through a whole list", async () => {
    const place = visit(aMinuteApart(5));
    expect(names(await list(place, `?before=${NOW_SECONDS - 120}`))).toEqual(["Run 3", "Run 4", "Run 5"]);

    const engine = engineWith(dailyRuns(450));
    await syncToEnd(engine);
    const befores = listQueries(engine).map((query) => Number(query.get("before")));
    expect(befores[0]).toBe(Math.floor(START_MS / SECOND_MS));
    expect(befores).toEqual([...befores].sort((a, b) => b - a));
    expect(listQueries(engine).some((query) => query.has("after"))).toBe(false);
  });

  test("case 3: with `after` alone the oldest come first", async () => {
    const place = visit(aMinuteApart(5));
    expect(names(await list(place, `?after=${NOW_SECONDS - 240}`))).toEqual(["Run 3", "Run 2", "Run 1"]);
    expect(names(await list(place, `?after=${NOW_SECONDS - 240}&per_page=2&page=2`))).toEqual(["Run 1"]);
  });

  test("case 4: with `after` and `before` the newest come first", async () => {
    const place = visit(aMinuteApart(5));
    const query = `?after=${NOW_SECONDS - 300}&before=${NOW_SECONDS - 60}`;
    expect(names(await list(place, query))).toEqual(["Run 2", "Run 3", "Run 4"]);
  });

  test("case 2: the order is a hint: a page that comes the other way round is read alike, for no request more", async () => {
    const reversing =
      (sandbox: TestEngine["sandbox"]) =>
      async (request: Request): Promise<Response> => {
        const response = await sandbox.fetch(request);
        if (!request.url.includes("/athlete/activities")) return response;
        return new Response(JSON.stringify(((await response.json()) as unknown[]).reverse()), response);
      };
    const engine = engineWith(dailyRuns(450, [0, 199, 200, 399, 449]), { fetch: reversing });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 450, racesEnriched: 5 });
    expect(requestsOf(engine, "list")).toBe(Math.ceil(450 / 199) + 1);
  });
});

describe("the edges of a range", () => {
  test("case 5: `after` leaves out its own second, `before` may or may not take it in", async () => {
    const seconds = [-3, -2, -1].map((second) => startingAt(second, { name: String(second) }));
    const after = `?after=${NOW_SECONDS - 2}`;
    const before = `?before=${NOW_SECONDS - 2}`;
    const strict = visit(seconds);
    expect(names(await list(strict, after))).toEqual(["-1"]);
    expect(names(await list(strict, before))).toEqual(["-3"]);
    const inclusive = visit(seconds, { beforeInclusive: true });
    expect(names(await list(inclusive, after))).toEqual(["-1"]);
    expect(names(await list(inclusive, before))).toEqual(["-2", "-3"]);
  });

  test("case 5: however `before` counts its second, the engine holds the same in the end", async () => {
    const results = await Promise.all(
      [false, true].map(async (beforeInclusive) => {
        // Three races share a second at the edge of a page, with neighbours a second before and after them.
        const activities = secondsApart(450, (place) => (place % 9 === 0 ? RACE : {}));
        for (const place of [199, 200, 201]) activities[place] = startedAgo(HOUR_MS + 200 * SECOND_MS, RACE);
        const engine = engineWith(activities, { sandbox: { beforeInclusive } });
        const sync = await syncToEnd(engine);
        return { listed: sync.activitiesListed, enriched: sync.racesEnriched, races: shownIds(engine) };
      }),
    );
    expect(results[0]).toEqual(results[1]);
    expect(results[0]).toMatchObject({ listed: 450, enriched: 53 });
  });
});

describe("the end of a list", () => {
  test("case 6: a page of 143 in the middle is not the end: a full page follows, and an empty one", async () => {
    const pages: number[] = [];
    const engine = engineWith(dailyRuns(700, [0, 150, 350, 699]), {
      fetch: onEachPage(({ items }) => pages.push(items)),
    });
    engine.sandbox.shortenPage(stravaIdOf(engine), { page: 1, size: 143 });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 700, racesEnriched: 4 });
    expect(pages[0]).toBe(143);
    expect(pages.slice(1)).toContain(200);
    expect(pages.at(-1)).toBe(0);
  });

  for (const size of [1, 100, 199]) {
    test(`case 6: nor is a page of ${size}, first, in the middle, or two in a row`, async () => {
      for (const short of [[1], [2], [1, 2], [2, 3]]) {
        const engine = engineWith(dailyRuns(800, [0, 199, 250, 420, 799]));
        for (const page of short) engine.sandbox.shortenPage(stravaIdOf(engine), { page, size });
        expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 800, racesEnriched: 5 });
      }
    });
  }

  for (const count of [200, 400, 1_000]) {
    test(`case 7: of exactly ${count} activities the engine asks once more, and is answered with an empty page`, async () => {
      const pages: number[] = [];
      const engine = engineWith(dailyRuns(count, [count - 1]), { fetch: onEachPage(({ items }) => pages.push(items)) });
      expect(await syncToEnd(engine)).toMatchObject({
        status: "completed",
        activitiesListed: count,
        racesEnriched: 1,
        warnings: "[]",
      });
      expect(pages.at(-1)).toBe(0);
      // A page after a full one shows the oldest activity once more, so it brings 199 new ones.
      expect(pages.length).toBe(Math.ceil(count / 199) + 1);
    });
  }

  test("case 8: an empty account costs one empty page, and is a completed sync without an error, to whoever looks", async () => {
    const api = createTestApi({ db: emptyDb(), sandbox: { club: { athletes: [{ activities: [] }] } } });
    expect((await api.post("/api/admin/athletes/1/sync")).status).toBe(202);
    await api.settle();
    const { body } = await api.get("/api/admin/sync-status");
    expect(body.recent).toMatchObject([
      {
        status: "completed",
        phase: "enrichment",
        activities_synced: 0,
        activities_expected: 0,
        error: null,
        warnings: [],
      },
    ]);
    expect(requestsOf(api.engine, "list")).toBe(1);
    expect((await api.get("/api/admin/races")).body.items).toEqual([]);
    // Not held for a list that was never read: the next sync is incremental.
    expect((await api.post("/api/admin/athletes/1/sync")).body.mode).toBe("incremental");
  });
});

describe("a list that changes between one page and the next", () => {
  test("case 9: an activity created between pages 1 and 2 takes no place from another, and none is counted twice", async () => {
    const created: number[] = [];
    const engine = engineWith(dailyRuns(450, [0, 199, 200, 399, 449]), {
      fetch: onEachPage(({ number, sandbox }) => {
        if (number !== 1) return;
        for (let more = 0; more < 3; more++) created.push(sandbox.addActivity(stravaIdOf(engine), RACE).id);
      }),
    });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 450, racesEnriched: 5 });
    // They began after the sync did, so that they belong to the next one.
    await engine.clock.advance(MINUTE_MS);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 3 });
    expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
    expect(shownIds(engine)).toEqual(expect.arrayContaining(created));
  });

  for (const place of [0, 3, 198, 199, 200, 201]) {
    test(`case 10: the deletion, between pages 1 and 2, of the activity at place ${place} loses no other`, async () => {
      const engine = engineWith(dailyRuns(450, [0, 3, 198, 199, 200, 201, 399, 449]), {
        fetch: onEachPage(({ number, sandbox }) => {
          if (number === 1) sandbox.deleteActivity(activityIdAt(engine, place));
        }),
      });
      await syncToEnd(engine);
      for (const id of racesAtStrava(engine))
        expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
      // Its detail is gone, or the list did not show it any more: it is not shown after the next complete list.
      await engine.clock.advance(MINUTE_MS);
      await syncToEnd(engine, { mode: "full" });
      expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
    });
  }

  test("case 10: nor does a deletion behind a short page, where the walk counts pages", async () => {
    const engine = engineWith(dailyRuns(450, [143, 144, 200, 342, 343, 449]), {
      fetch: onEachPage(({ number, sandbox }) => {
        if (number === 1) for (const place of [3, 2, 1]) sandbox.deleteActivity(activityIdAt(engine, place));
      }),
    });
    engine.sandbox.shortenPage(stravaIdOf(engine), { page: 1, size: 143 });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 6 });
    expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
  });

  /** A list dense enough to tie at page boundaries, and what happens to it after each page. */
  const changes = fc.record({
    /** Seconds between one activity and the next; 0 ties them. */
    gaps: fc.array(fc.constantFrom(0, 0, 1, 2, 60), { minLength: 420, maxLength: 640 }),
    beforeInclusive: fc.boolean(),
    deletions: fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 6 }),
    additions: fc.array(fc.array(fc.integer({ min: -600, max: 600 }), { maxLength: 3 }), { maxLength: 6 }),
  });

  test("case 10: whatever is created and deleted between every two pages, with ties at their edges, nothing that stays is lost or there twice", async () => {
    await fc.assert(
      fc.asyncProperty(changes, async ({ gaps, beforeInclusive, deletions, additions }) => {
        let agoMs = HOUR_MS;
        let isQuiet = false;
        const activities = gaps.map((gap, at) => {
          agoMs += gap * SECOND_MS;
          return startedAgo(agoMs, at % 5 === 0 ? RACE : {});
        });
        const engine: TestEngine = engineWith(activities, {
          sandbox: { beforeInclusive },
          fetch: onEachPage(({ number, sandbox }: AnsweredPage) => {
            if (isQuiet) return;
            for (const nth of deletions[number - 1] ?? []) {
              const left = sandbox.activities(stravaIdOf(engine));
              sandbox.deleteActivity(left[nth % left.length]?.id ?? 0);
            }
            // Around the moment at which the list begins: late uploads, and runs that have just begun.
            for (const seconds of additions[number - 1] ?? []) {
              const startMs = Math.min(START_MS + seconds * SECOND_MS, engine.clock.nowMs());
              sandbox.addActivity(stravaIdOf(engine), { ...RACE, start_date: stravaTime(startMs) });
            }
          }),
        });
        const before = racesAtStrava(engine);
        const sync = await syncToEnd(engine);
        expect(sync.status).toBe("completed");
        const stillThere = new Set(racesAtStrava(engine));
        const held = shownIds(engine);
        expect(new Set(held).size).toBe(held.length);
        for (const id of before) if (stillThere.has(id)) expect(held).toContain(id);
        // And once it is quiet, a complete list makes what is held what there is.
        isQuiet = true;
        await engine.clock.advance(2 * HOUR_MS);
        await syncToEnd(engine, { mode: "full" });
        expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
      }),
      { numRuns: 12, endOnFailure: true },
    );
  }, 20_000);
});

describe("what comes late", () => {
  test("case 11: a late upload, older than what was listed last and with the newest id, is found by the next incremental sync", async () => {
    const engine = engineWith(hourlyRuns(700, [0, 7]));
    await syncToEnd(engine);
    await engine.clock.advance(DAY_MS);
    const newestId = Math.max(...engine.sandbox.activities(stravaIdOf(engine)).map(({ id }) => id));
    const late = engine.sandbox.addActivity(stravaIdOf(engine), startedAgo(25 * DAY_MS, RACE));
    expect(late.id).toBeGreaterThan(newestId);
    expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", status: "completed", racesEnriched: 1 });
    expect(raceOf(engine, late.id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
  });

  test("case 12: a run tagged as a race after its sync is shown after the next, and one untagged is shown no more", async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: { quota: PLENTY, club: { athletes: [{ activities: hourlyRuns(700, [500, 501]) }] } },
    });
    const { engine } = api;
    const syncOnce = async () => {
      await api.post("/api/admin/athletes/1/sync");
      await api.settle();
    };
    const shown = async (query = ""): Promise<{ strava_activity_id: number }[]> =>
      (await api.get(`/api/admin/races${query}`)).body.items;
    await syncOnce();
    const [tagged, untagged, kept] = [600, 500, 501].map((place) => activityIdAt(engine, place));
    if (tagged === undefined || untagged === undefined) throw new Error("no activities");
    expect((await shown()).map((race) => race.strava_activity_id)).toEqual([untagged, kept ?? 0]);

    engine.clock.jumpTo(START_MS + 4 * DAY_MS);
    engine.sandbox.updateActivity(tagged, { workout_type: 1 });
    engine.sandbox.updateActivity(untagged, { workout_type: 0 });
    await syncOnce();
    expect((await shown()).map((race) => race.strava_activity_id)).toEqual([kept ?? 0, tagged]);
    expect(await shown("?withdrawn=true")).toContainEqual(
      expect.objectContaining({ strava_activity_id: untagged, withdrawn_reason: "no longer tagged as a race" }),
    );
  });
});

describe("activities that share a second", () => {
  for (const ties of [2, 3, 40, 199]) {
    test(`case 13: ${ties} races in one second, on both sides of the edge of a page, are all kept`, async () => {
      for (const beforeEdge of [1, ties - 1]) {
        const engine = engineWith([
          ...secondsApart(200 - beforeEdge),
          ...Array.from({ length: ties }, () => startedAgo(2 * DAY_MS, RACE)),
          ...Array.from({ length: 60 }, (_, place) => startedAgo(3 * DAY_MS + place * SECOND_MS)),
        ]);
        const sync = await syncToEnd(engine);
        expect(sync).toMatchObject({
          status: "completed",
          activitiesListed: 260 - beforeEdge + ties,
          racesEnriched: ties,
        });
      }
    });
  }

  test("case 13: even more than a page of them", async () => {
    const engine = engineWith([
      ...secondsApart(120),
      ...Array.from({ length: 450 }, () => startedAgo(2 * DAY_MS, RACE)),
      ...Array.from({ length: 230 }, (_, place) => startedAgo(3 * DAY_MS + place * SECOND_MS)),
    ]);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 800, racesEnriched: 450 });
  });

  test("case 13: of two races in one second at the bound of an incremental sync, both are kept", async () => {
    const engine = engineWith([]);
    await syncToEnd(engine);
    await engine.clock.advance(HOUR_MS);
    const boundMs = START_MS - 30 * DAY_MS;
    const races = [0, 1].map(() =>
      engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, start_date: stravaTime(boundMs) }),
    );
    expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", racesEnriched: 2 });
    await engine.clock.advance(HOUR_MS);
    await syncToEnd(engine);
    expect(sorted(shownIds(engine))).toEqual(sorted(races.map(({ id }) => id)));
  });

  test("case 14: three a day whose start is hidden, midnight and one second, are told apart", async () => {
    const midnightMs = Date.UTC(2025, 10, 1, 0, 0, 1);
    const activities = Array.from({ length: 630 }, (_, place) => ({
      ...(place % 3 === 0 ? RACE : {}),
      start_date: stravaTime(midnightMs - Math.floor(place / 3) * DAY_MS),
    }));
    const engine = engineWith(activities);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 630, racesEnriched: 210 });
    expect(new Set(heldRaces(engine).map((race) => race.startAtMs)).size).toBe(210);
    expect(heldRaces(engine)[0]?.startLocal).toBe("2025-11-01T00:00:01");
  });

  test("case 14: who begins to hide start times has the same races as before, each once, at the new time", async () => {
    const engine = engineWith(dailyRuns(40, [0, 5, 29, 30, 39]));
    await syncToEnd(engine);
    const before = shownIds(engine);
    for (const { id, start_date } of engine.sandbox.activities(stravaIdOf(engine)))
      engine.sandbox.updateActivity(id, { start_date: `${start_date.slice(0, 10)}T00:00:01Z` });
    await engine.clock.advance(DAY_MS);
    await syncToEnd(engine, { mode: "full" });
    expect(sorted(shownIds(engine))).toEqual(sorted(before));
    for (const race of heldRaces(engine)) expect(race.startLocal.slice(10)).toBe("T00:00:01");
  });
});

describe("many at once", () => {
  test("case 15: of 1,200 activities since the last sync, more than five pages, all are found", async () => {
    const engine = await syncedBefore(1_200);
    expect(await syncToEnd(engine)).toMatchObject({
      mode: "incremental",
      status: "completed",
      activitiesListed: 1_200,
      racesEnriched: 12,
    });
    expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
  });

  test("case 15: of 5,400 too, with no more in memory than a page at a time", async () => {
    const heapBytes: number[] = [];
    const engine = await syncedBefore(
      5_400,
      onEachPage(({ number }) => {
        // What is read already must be garbage: looked at early and late, it costs too much to look each time.
        if (number !== 6 && number !== 26) return;
        Bun.gc(true);
        heapBytes.push(heapStats().heapSize);
      }),
    );
    expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", activitiesListed: 5_400, racesEnriched: 54 });
    // 4,000 activities lie between the two looks: each of them would be 2 kB of track alone.
    const [early = 0, late = 0] = heapBytes;
    expect(late - early).toBeLessThan(3_000_000);
    const left = engine.db.$client.query("SELECT count(*) AS count FROM listed_activities").get();
    expect(left).toEqual({ count: 0 });
  }, 20_000);

  /** An athlete listed completely when there was nothing, and with so many activities, every hundredth a race, since. */
  async function syncedBefore(count: number, fetch?: ReturnType<typeof onEachPage>): Promise<TestEngine> {
    const engine = engineWith([], fetch === undefined ? {} : { fetch });
    await syncToEnd(engine);
    engine.clock.jumpTo(START_MS + 60 * DAY_MS);
    const map = { id: "a1", summary_polyline: "x".repeat(2_000), resource_state: 2 };
    for (let place = 0; place < count; place++) {
      const start_date = stravaTime(START_MS + (place + 1) * 10 * MINUTE_MS);
      engine.sandbox.addActivity(stravaIdOf(engine), { ...(place % 100 === 0 ? RACE : {}), start_date, map });
    }
    return engine;
  }

  test("case 16: a sync that the quota stretches over hours misses nothing that began before, during or after it", async () => {
    const engine = engineWith(hourlyRuns(700, [0, 199, 398, 699]), {
      // A request in a quarter of an hour: five pages and four races take two hours.
      sandbox: { quota: { read: { quarter: 1, day: 1_000 } } },
    });
    const syncId = engine.start();
    const uploaded: number[] = [];
    for (let quarter = 0; quarter < 6; quarter++) {
      await engine.clock.advance(QUARTER_MS);
      const nowMs = engine.clock.nowMs();
      for (const startMs of [nowMs - 28 * DAY_MS, START_MS - MINUTE_MS, START_MS, START_MS + SECOND_MS, nowMs]) {
        const start_date = stravaTime(startMs);
        uploaded.push(engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, start_date }).id);
      }
    }
    const sync = await untilEnded(engine, syncId);
    expect(sync.status).toBe("completed");
    expect((sync.completedAtMs ?? 0) - sync.startedAtMs).toBeGreaterThan(HOUR_MS);
    // Begun before the scan, on the watch until after it.
    const afterwards = engine.sandbox.addActivity(stravaIdOf(engine), startedAgo(HOUR_MS, RACE));
    engine.sandbox.setQuota(PLENTY);
    await engine.clock.advance(HOUR_MS);
    expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", status: "completed" });
    expect(shownIds(engine)).toEqual(expect.arrayContaining([...uploaded, afterwards.id]));
    expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
  });

  test("case 16: what is uploaded while a list is read, wherever it starts, is there after the next incremental sync", async () => {
    const upload = fc.record({ page: fc.integer({ min: 1, max: 4 }), agoSeconds: fc.nat(29 * 24 * 3_600) });
    await fc.assert(
      fc.asyncProperty(fc.array(upload, { maxLength: 12 }), async (uploads) => {
        const engine: TestEngine = engineWith(hourlyRuns(600, [0, 10, 300]), {
          fetch: onEachPage(({ number, sandbox }) => {
            for (const { page, agoSeconds } of uploads)
              if (page === number) sandbox.addActivity(stravaIdOf(engine), startedAgo(agoSeconds * SECOND_MS, RACE));
          }),
        });
        await syncToEnd(engine);
        await engine.clock.advance(DAY_MS);
        expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", status: "completed" });
        expect(sorted(shownIds(engine))).toEqual(sorted(racesAtStrava(engine)));
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });
});

describe("what Strava refuses", () => {
  test("case 17: `after` in the future and an empty `before` are answered with 400", async () => {
    const place = visit(aMinuteApart(3));
    for (const query of [`?after=${NOW_SECONDS + 60}`, "?before=", "?after="]) {
      const response = await get(place, `/athlete/activities${query}`);
      expect(response.status).toBe(400);
      expect(await json(response)).toMatchObject({ message: "Bad Request" });
    }
  });

  for (const skewMs of [-90 * SECOND_MS, 0, 90 * SECOND_MS]) {
    test(`case 17: the engine sends neither, with Strava's clock ${skewMs / SECOND_MS} s ahead of its own`, async () => {
      const engine = engineWith(dailyRuns(250, [0]), { sandbox: { skewMs } });
      await syncToEnd(engine);
      await engine.clock.advance(MINUTE_MS);
      engine.sandbox.clearLedger();
      // By now the engine knows what time Strava has.
      await syncToEnd(engine);
      await syncToEnd(engine, { mode: "full" });
      for (const entry of engine.sandbox.ledger().filter(({ kind }) => kind === "list")) {
        const query = new URLSearchParams(entry.path.split("?")[1]);
        expect(query.get("before")).toMatch(/^\d+$/);
        expect(Number(query.get("before"))).toBeLessThanOrEqual(Math.ceil(entry.atMs / SECOND_MS));
        expect(query.has("after")).toBe(false);
      }
    });
  }

  test("case 18: a token without activity:read is answered with 401, which names the permission that is missing", async () => {
    const place = visit(aMinuteApart(1), { club: { athletes: [{ activities: aMinuteApart(1), scope: "read" }] } });
    const response = await get(place, "/athlete/activities");
    expect(response.status).toBe(401);
    expect(await json(response)).toEqual({
      message: "Authorization Error",
      errors: [{ resource: "AccessToken", field: "activity:read_permission", code: "missing" }],
    });
  });

  test("case 18: an athlete who granted too little must reconnect and is told so; nothing is withdrawn, the others go on", async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: {
        quota: PLENTY,
        club: { athletes: [{ activities: dailyRuns(5, [0, 1]) }, { activities: dailyRuns(5, [0]) }] },
      },
    });
    await api.post("/api/admin/athletes/1/sync");
    await api.settle();
    const { accessToken, refreshToken, expiresAtSeconds, stravaId } = api.engine.sandbox.grantAgain(
      stravaIdOf(api.engine),
      "read",
    );
    const imported = { strava_id: stravaId, first_name: "A", last_name: "B", access_token: accessToken };
    await api.post("/api/admin/athletes", { ...imported, refresh_token: refreshToken, expires_at: expiresAtSeconds });
    await api.post("/api/admin/athletes/1/sync", { mode: "full" });
    await api.post("/api/admin/athletes/2/sync");
    await api.settle();
    const { recent } = (await api.get("/api/admin/sync-status")).body;
    const [failed] = recent.filter((sync: { status: string }) => sync.status === "failed");
    expect(failed).toMatchObject({ athlete_id: 1, mode: "full" });
    expect(failed.error).toContain("activity:read");
    expect(failed.error).toContain("/auth/strava");
    expect((await api.get("/api/admin/athletes/1")).body).toMatchObject({ status: "needs_reconnect" });
    // One 401 says it all: no refresh, no second try.
    expect(api.engine.sandbox.ledger().filter((entry) => entry.status === 401).length).toBe(1);
    expect((await api.get("/api/admin/athletes/2")).body).toMatchObject({ status: "connected" });
    expect((await api.get("/api/admin/races?athlete_id=1")).body.items.length).toBe(2);
    expect((await api.get("/api/admin/races?athlete_id=2")).body.items.length).toBe(1);
  });

  for (const [scope, shown] of [
    ["read,activity:read", ["everyone", "followers"]],
    ["read,activity:read_all", ["everyone", "followers", "only me"]],
  ] as const) {
    test(`case 18: with ${scope} the races seen are: ${shown.join(", ")}`, async () => {
      const engine = engineWith(
        [
          { ...RACE, name: "everyone" },
          { ...RACE, name: "followers", visibility: "followers_only" },
          { ...RACE, name: "only me", visibility: "only_me" },
        ],
        { scope },
      );
      expect(await syncToEnd(engine)).toMatchObject({
        status: "completed",
        activitiesListed: shown.length,
        warnings: "[]",
      });
      expect(heldRaces(engine).map((race) => race.name)).toEqual([...shown]);
      expect(syncOf(engine, 1 as never).racesEnriched).toBe(shown.length);
    });
  }
});
