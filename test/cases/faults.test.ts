/** Cases 65 to 71 and 73 of what Strava does, or what befalls us: faults, deaths, and the books that must still be right. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { openDataDirectory, SecondDaemonError } from "../../src/db/data-directory.ts";
import { migrate, migrationsFolder } from "../../src/db/migrate.ts";
import { type Db, openDatabase } from "../../src/db/open.ts";
import { readLedger } from "../../src/db/quota.ts";
import type { FaultAction } from "../../src/sandbox/faults.ts";
import type { LedgerEntry, RequestKind } from "../../src/sandbox/ledger.ts";
import { createTestApi } from "../support/api.ts";
import { insertBatch, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import {
  activityIdAt,
  attemptsSpent,
  dailyRuns,
  engineWith,
  heldRaces,
  PLENTY,
  RACE,
  raceOf,
  requestsOf,
  stravaIdOf,
  syncOf,
  syncToEnd,
  untilEnded,
} from "../support/syncs.ts";

const ALWAYS = Number.POSITIVE_INFINITY;

/** It is not the API that answered: everybody waits, nobody is blamed. */
const AWAY: readonly [string, FaultAction][] = [
  ["502 with the page of an outage", { type: "html" }],
  ["503", { type: "status", status: 503, body: "" }],
  ["597", { type: "status", status: 597, html: "<html>Down for maintenance</html>" }],
  ["the page of an outage with 200", { type: "html", status: 200 }],
];
/** One answer that cannot be used: what was asked for is asked again. */
const SPOILED: readonly [string, FaultAction][] = [
  ["a page of HTML with 200", { type: "status", status: 200, html: "<html>Sign in to the hotel's network</html>" }],
  ["JSON that is cut off", { type: "truncated" }],
  ["an empty body", { type: "empty" }],
  ["500", { type: "status", status: 500 }],
];

describe("answers that are none", () => {
  for (const [what, action] of AWAY) {
    for (const kind of ["list", "detail"] as const) {
      test(`case 65: ${what} for a ${kind}: everything waits for Strava, no attempt is spent, and it goes on by itself`, async () => {
        const club = { athletes: [{ activities: dailyRuns(30, [0, 1, 2]) }] };
        const api = createTestApi({ db: emptyDb(), sandbox: { club, quota: PLENTY, latencyMs: 50 } });
        api.engine.sandbox.injectFault({ match: { kind }, times: 1, action });
        await api.post("/api/admin/athletes/1/sync");
        await api.engine.clock.advance(2 * SECOND_MS);
        const [waiting] = (await api.get("/api/admin/sync-status")).body.active;
        expect(waiting).toMatchObject({
          status: "waiting",
          waiting: { reason: "strava_unavailable", resumes_at: expect.any(Number) },
          health: { is_stalled: false },
        });
        await api.settle();
        expect((await api.get("/api/admin/sync-status")).body.recent).toMatchObject([
          { status: "completed", activities_synced: 3, races_failed: 0, warnings: [] },
        ]);
        expect(attemptsSpent(api.engine)).toBe(0);
        expect((await api.get("/api/admin/health/findings")).body.items).toEqual([]);
      });
    }
  }

  for (const [what, action] of SPOILED) {
    for (const kind of ["list", "detail"] as const) {
      test(`case 65: ${what} for a ${kind}: asked again after a while, nothing lost, nothing stored of it`, async () => {
        const engine = engineWith(dailyRuns(230, [0, 100, 229]));
        engine.sandbox.injectFault({ match: { kind, nth: 2 }, action });
        expect(await syncToEnd(engine)).toMatchObject({
          status: "completed",
          activitiesListed: 230,
          racesEnriched: 3,
          racesFailed: 0,
          warnings: "[]",
        });
        expect(attemptsSpent(engine)).toBe(1);
        expect(requestsOf(engine, "list") + requestsOf(engine, "detail")).toBe(3 + 3 + 1);
      });
    }
  }

  test("case 65: whatever comes instead of a token, no athlete is blamed for it", async () => {
    for (const [, action] of [...AWAY, ...SPOILED]) {
      const engine = engineWith(dailyRuns(10, [0]));
      byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
      engine.sandbox.injectFault({ match: { kind: "token" }, action });
      expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1 });
      expect(engine.db.$client.query("SELECT status FROM athletes").all()).toEqual([{ status: "connected" }]);
    }
  });
});

describe("connections", () => {
  const dnsFailure = () =>
    Object.assign(new TypeError("Unable to connect. Is the computer able to access the url?"), { code: "ENOTFOUND" });

  for (const kind of ["list", "detail", "token"] as const) {
    for (const [what, action] of [
      ["reset before Strava acted", { type: "reset" }],
      ["reset after Strava acted", { type: "lost_response" }],
      ["that hangs past the time limit", { type: "hang" }],
    ] as const) {
      test(`case 66: a connection for a ${kind} ${what}: asked again, everything is there in the end`, async () => {
        const engine = engineWith(dailyRuns(30, [0, 1, 2]), { timeoutMs: 30_000 });
        byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
        engine.sandbox.injectFault({ match: { kind }, action });
        expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 3, racesFailed: 0 });
        expect(attemptsSpent(engine)).toBe(1);
        expect(requestsOf(engine, kind)).toBe({ list: 2, detail: 3, token: 1 }[kind] + 1);
      });
    }
  }

  test("case 66: an hour without name resolution: no sync, race or athlete fails, and all goes on when it is back", async () => {
    let isResolved = true;
    const engine = engineWith(dailyRuns(60, [0, 1, 2, 3]), {
      sandbox: { latencyMs: 100 },
      fetch: (sandbox) => (request) => (isResolved ? sandbox.fetch(request) : Promise.reject(dnsFailure())),
      requestsInFlight: 1,
    });
    const syncId = engine.start();
    await stepUntil(engine, () => countRaces(engine.db, "enriched") === 1);
    isResolved = false;
    await tickMinutes(engine, 60);
    expect(syncOf(engine, syncId).status).toBe("in_progress");
    expect(countRaces(engine.db, "failed")).toBe(0);
    isResolved = true;
    expect(await untilEnded(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 4, racesFailed: 0 });
    expect(engine.db.$client.query("SELECT status FROM athletes").all()).toEqual([{ status: "connected" }]);
  });

  for (const latencyMs of [1_600, 30_000]) {
    test(`case 66: a Strava that takes ${latencyMs / 1000} s for each answer is slow and no trouble: heartbeats keep the leases`, async () => {
      const engine = engineWith(dailyRuns(220, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 219]), {
        sandbox: { latencyMs },
        requestsInFlight: 4,
        timeoutMs: 45_000,
      });
      const syncId = engine.start();
      await tickMinutes(engine, 6);
      expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 16, warnings: "[]" });
      expect(attemptsSpent(engine)).toBe(0);
      expect(engine.db.$client.query("SELECT count(*) AS count FROM findings").get()).toEqual({ count: 0 });
      expect(requestsOf(engine, "detail")).toBe(16);
    });
  }

  test("case 66: an answer that comes just after the time limit is not taken, and the race is asked for again", async () => {
    const engine = engineWith(dailyRuns(5, [0]), { timeoutMs: 30_000 });
    engine.sandbox.injectFault({ match: { kind: "detail" }, action: { type: "slow", ms: 30_001 } });
    const sync = await syncToEnd(engine);
    expect(sync).toMatchObject({ status: "completed", racesEnriched: 1 });
    expect(requestsOf(engine, "detail")).toBe(2);
  });
});

describe("two hours of server errors", () => {
  for (const phase of ["discovery", "enrichment"] as const) {
    test(`case 67: in ${phase}, of three athletes none fails and no race does; waits grow and differ; all goes on by itself`, async () => {
      const api = createTestApi({
        db: emptyDb(),
        sandbox: { club: { athletes: 3, activitiesEach: 40, racesEach: 30 }, quota: PLENTY, latencyMs: 100 },
      });
      const { engine } = api;
      const beginStorm = () => engine.sandbox.injectFault({ times: ALWAYS, action: { type: "status", status: 500 } });
      if (phase === "discovery") beginStorm();
      await api.post("/api/admin/syncs", { mode: "full" });
      if (phase === "enrichment") {
        await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
        beginStorm();
      }
      engine.sandbox.clearLedger();
      const stormMs = engine.clock.nowMs();
      await tickMinutes(engine, 120);
      const { active, summary } = (await api.get("/api/admin/sync-status")).body;
      expect(summary).toMatchObject({ active: 3, waiting: 3, stalled: 0 });
      for (const sync of active)
        expect(sync).toMatchObject({ waiting: { reason: "strava_unavailable" }, races_failed: 0 });
      expect(engine.db.$client.query("SELECT DISTINCT status FROM athletes").all()).toEqual([{ status: "connected" }]);
      expect(countRaces(engine.db, "failed")).toBe(0);

      // Probes come further and further apart, up to a quarter of an hour, and not by the same clockwork each time.
      const times = engine.sandbox.ledger().map((entry) => entry.atMs - stormMs);
      const waits = times
        .slice(1)
        .flatMap((timeMs, at) => (timeMs - (times[at] ?? 0) > 20 * SECOND_MS ? [timeMs - (times[at] ?? 0)] : []));
      expect(Math.max(...waits)).toBeLessThanOrEqual(15 * MINUTE_MS * 1.25 + 2 * SECOND_MS);
      expect(Math.max(...waits)).toBeGreaterThan(8 * MINUTE_MS);
      const late = waits.filter((waitMs) => waitMs > 10 * MINUTE_MS);
      expect(new Set(late.map((waitMs) => Math.round(waitMs / SECOND_MS))).size).toBeGreaterThan(1);
      expect(engine.sandbox.ledger().length).toBeLessThan(150);

      engine.sandbox.clearFaults();
      await tickMinutes(engine, 25);
      const { recent } = (await api.get("/api/admin/sync-status")).body;
      expect(recent.length).toBe(3);
      for (const sync of recent)
        expect(sync).toMatchObject({ status: "completed", activities_synced: 30, races_failed: 0 });
      expect((await api.get("/api/admin/health/findings")).body.items).toEqual([]);
    });
  }
});

test("case 67: nor does a race fail that was the only one left to ask for", async () => {
  const engine = engineWith(dailyRuns(30, [0]), { sandbox: { latencyMs: 100 } });
  engine.sandbox.injectFault({
    match: { nth: 3 },
    times: ALWAYS,
    action: { type: "status", status: 500 },
  });
  const syncId = engine.start();
  await tickMinutes(engine, 120);
  expect(countRaces(engine.db, "failed")).toBe(0);
  engine.sandbox.clearFaults();
  expect(await untilEnded(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 0 });
});

describe("deaths and doubles", () => {
  /** A list of two pages with six races, one request at a time, so that at most one can be under way when it dies. */
  const mortal = () =>
    engineWith(dailyRuns(210, [0, 50, 100, 150, 199, 209]), {
      sandbox: { latencyMs: 40 },
      requestsInFlight: 1,
      rules: { enrichmentBatchSize: 4 },
    });

  /** What is held when all is done, without what tells of the way there. */
  const outcomeOf = (engine: TestEngine) => ({
    sync: engine.db.$client
      .query(
        "SELECT status, phase, activities_listed, races_enriched, races_failed, batches_completed, warnings, error FROM syncs",
      )
      .all(),
    races: heldRaces(engine).map(
      ({ stravaActivityId, name, polyline, description, enrichment, attempts, withdrawnAtMs }) => ({
        ...{ stravaActivityId, name, polyline, description, enrichment, attempts, withdrawnAtMs },
      }),
    ),
    batches: engine.db.$client
      .query(
        "SELECT type, status, attempts, races_added, races_enriched, activities_fetched FROM batches ORDER BY number",
      )
      .all(),
  });
  /** How often Strava was asked the same. */
  const mostOften = (engine: TestEngine) => {
    const paths = engine.sandbox.ledger().map((entry) => entry.path);
    return Math.max(...paths.map((path) => paths.filter((other) => other === path).length));
  };
  const calls = (engine: TestEngine) => requestsOf(engine, "list") + requestsOf(engine, "detail");

  test("case 68: killed at every single step (claim, request, answer, commit), the same end is reached, nothing counted twice, no call made more than twice", async () => {
    const undisturbed = mortal();
    await syncToEnd(undisturbed);
    const expected = outcomeOf(undisturbed);
    const seen = { claimed: 0, asked: 0, repeated: 0 };
    let steps = 0;
    for (; ; steps++) {
      const engine = mortal();
      const syncId = engine.start();
      for (let step = 0; step < steps; step++) await engine.clock.fireNext();
      if (syncOf(engine, syncId).status !== "in_progress") break;
      const isClaimed = engine.db.$client.query("SELECT 1 FROM batches WHERE status = 'processing'").get() !== null;
      if (isClaimed) seen.claimed++;
      if (isClaimed && engine.sandbox.ledger().some((entry) => !entry.isDelivered)) seen.asked++;
      const next = engine.rebooted();
      await untilEnded(next, syncId);
      expect(outcomeOf(next)).toEqual(expected);
      // What was under way, and what had been answered and not been committed: one each, and each once more.
      const repeated = calls(next) - calls(undisturbed);
      expect(repeated).toBeLessThanOrEqual(2);
      expect(mostOften(next)).toBeLessThanOrEqual(2);
      seen.repeated += repeated;
    }
    // Every request has been killed before and after its answer, and its commit not done yet: that is when one repeats.
    expect(steps).toBeGreaterThan(2 * calls(undisturbed));
    expect(seen.claimed).toBeGreaterThan(2 * calls(undisturbed));
    expect(seen.asked).toBeGreaterThanOrEqual(calls(undisturbed));
    expect(seen.repeated).toBeGreaterThan(calls(undisturbed));
  }, 20_000);

  test("case 68: killed again and again, it still gets there, for no more calls than it died times", async () => {
    const undisturbed = mortal();
    await syncToEnd(undisturbed);
    let engine = mortal();
    const syncId = engine.start();
    let deaths = 0;
    while (syncOf(engine, syncId).status === "in_progress" && deaths < 400) {
      // Far enough each time for a claim, an answer and its commit, or the batch would be taken for what kills it.
      for (let step = 0; step < 9; step++) await engine.clock.fireNext();
      engine = engine.rebooted();
      deaths++;
    }
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", activitiesListed: 210, racesEnriched: 6 });
    expect(calls(engine) - calls(undisturbed)).toBeLessThanOrEqual(deaths);
    expect(attemptsSpent(engine)).toBe(0);
  });

  /** A file with the schema, in a directory of its own. */
  async function onFile(work: (path: string, db: Db) => Promise<void>): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), "broomwagon-case-69-"));
    const path = join(directory, "broomwagon.sqlite");
    const db = openDatabase(path);
    db.$client.run("PRAGMA synchronous = OFF");
    try {
      migrate(db, { folder: migrationsFolder(), nowMs: NOW, programVersion: "test" });
      await work(path, db);
    } finally {
      db.$client.close();
      rmSync(directory, { recursive: true, force: true });
    }
  }

  test("case 69: a second daemon on the directory is refused as long as the first one lives", async () => {
    const directory = mkdtempSync(join(tmpdir(), "broomwagon-case-69-"));
    const script = join(import.meta.dir, "../support/hold-data-directory.ts");
    const first = Bun.spawn([process.execPath, script, directory], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    await first.stdout.getReader().read();
    expect(() => openDataDirectory(directory)).toThrow(SecondDaemonError);
    first.kill("SIGKILL");
    await first.exited;
    openDataDirectory(directory).release();
    rmSync(directory, { recursive: true, force: true });
  });

  test("case 69: of three processes that claim the same batch of one file at once, one gets it, each time", async () => {
    await onFile(async (path, db) => {
      const rounds = 25;
      for (let made = 0; made < rounds; made++) insertBatch(db);
      const script = join(import.meta.dir, "../support/claim-batches.ts");
      const rivals = ["one", "two", "three"].map((owner) => rivalOf([process.execPath, script, path, owner]));
      const winners: string[] = [];
      for (let round = 0; round < rounds; round++) {
        const seen = await Promise.all(rivals.map((rival) => rival.line()));
        expect(new Set(seen).size).toBe(1);
        for (const rival of rivals) rival.say("claim");
        const results = await Promise.all(rivals.map((rival) => rival.line()));
        expect(results.sort()).toEqual(["claimed", "lost", "lost"]);
        const row = db.$client.query<{ owner: string; runs: number }, [string]>(
          "SELECT owner, runs FROM batches WHERE id = ?1",
        );
        const batch = row.get(seen[0] ?? "");
        expect(batch?.runs).toBe(1);
        winners.push(batch?.owner ?? "");
      }
      expect(await Promise.all(rivals.map((rival) => rival.line()))).toEqual(["none", "none", "none"]);
      for (const rival of rivals) await rival.end();
      expect(winners.length).toBe(rounds);
    });
  }, 20_000);

  test("case 69: two engines on one file claim no batch twice and ask for no race twice, and the syncs come out as with one", async () => {
    await onFile(async (path, db) => {
      const club = { athletes: 4, activitiesEach: 40, racesEach: 20 };
      const rules = { concurrency: 2 };
      const one = createTestEngine({ db, rules, sandbox: { club, quota: PLENTY, latencyMs: 50 } });
      const other = openDatabase(path);
      other.$client.run("PRAGMA synchronous = OFF");
      const two = one.beside(other);
      const syncIds = [0, 1, 2, 3].map((n) => one.start(n));
      two.processor.wake();
      const owners = new Set<unknown>();
      for (let second = 0; second < 30; second++) {
        await one.clock.advance(SECOND_MS / 10);
        for (const row of db.$client
          .query<{ owner: string }, []>("SELECT DISTINCT owner FROM batches WHERE owner IS NOT NULL")
          .all())
          owners.add(row.owner);
      }
      for (const syncId of syncIds)
        expect(syncOf(one, syncId)).toMatchObject({ status: "completed", racesEnriched: 20 });
      expect(owners.size).toBe(2);
      const asked = one.sandbox.ledger().flatMap(({ activityId }) => activityId ?? []);
      expect(asked.length).toBe(80);
      expect(new Set(asked).size).toBe(80);
      expect(attemptsSpent(one)).toBe(0);
      other.$client.close();
    });
  });
});

/** A child that answers in lines. */
function rivalOf(command: string[]) {
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  let text = "";
  return {
    say(line: string): void {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    async line(): Promise<string> {
      while (!text.includes("\n")) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`It ended early, having said ${text}`);
        text += new TextDecoder().decode(value);
      }
      const end = text.indexOf("\n");
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    async end(): Promise<void> {
      child.stdin.end();
      await child.exited;
    },
  };
}

describe("what is not believed", () => {
  test("case 70: a detail that belongs to another athlete is rejected: nothing of it is kept, the race fails and says so", async () => {
    const engine = engineWith([{ ...RACE, description: "somebody's", polyline: "theirs" }, RACE]);
    const id = activityIdAt(engine, 0);
    engine.sandbox.injectFault({ match: { activityId: id }, action: { type: "wrong_athlete" } });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 1 });
    expect(raceOf(engine, id)).toMatchObject({
      enrichment: "failed",
      description: null,
      polyline: null,
      enrichedAtMs: null,
    });
    expect(raceOf(engine, id).enrichmentError).toContain("another athlete");
  });

  test("case 70: an answer to another question, the detail of another activity, is not taken for this one", async () => {
    const engine = engineWith(
      [
        { ...RACE, name: "one" },
        { ...RACE, name: "two" },
      ],
      {
        fetch: (sandbox) => (request) => {
          const [one = 0, two = 0] = sandbox.activities(stravaIdOf(engine)).map(({ id }) => id);
          return sandbox.fetch(new Request(request.url.replace(`/activities/${one}`, `/activities/${two}`), request));
        },
      },
    );
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 1 });
    expect(heldRaces(engine).map((race) => [race.name, race.enrichment])).toEqual([
      ["one", "failed"],
      ["two", "enriched"],
    ]);
  });

  test("case 70: activities of another athlete in a list are left out and told of, and what is held of ours is not withdrawn for it", async () => {
    const engine = engineWith(dailyRuns(230, [0, 5, 210]));
    await syncToEnd(engine);
    engine.sandbox.injectFault({ match: { kind: "list", nth: 2 }, action: { type: "wrong_athlete" } });
    engine.sandbox.updateActivity(activityIdAt(engine, 210), { name: "Not to be believed" });
    const sync = await syncToEnd(engine, { mode: "full" });
    expect(sync.status).toBe("completed");
    expect(sync.warnings).toContain("31 activities of a page belong to another athlete");
    expect(heldRaces(engine).map((race) => [race.name, race.withdrawnAtMs])).toEqual([
      ["Morning Run", null],
      ["Morning Run", null],
      ["Morning Run", null],
    ]);
  });

  /** Three races of a list of 450, synced once; then the newest is deleted. */
  async function oneDeleted(): Promise<TestEngine> {
    const engine = engineWith(dailyRuns(450, [0, 5, 300]));
    await syncToEnd(engine);
    engine.sandbox.deleteActivity(activityIdAt(engine, 0));
    return engine;
  }
  const shown = (engine: TestEngine): number => heldRaces(engine).filter((race) => race.withdrawnAtMs === null).length;

  for (const [what, action] of [
    ["a 401", { type: "status", status: 401 }],
    [
      "a missing scope",
      {
        type: "status",
        status: 401,
        body: { errors: [{ resource: "AccessToken", field: "activity:read_permission", code: "missing" }] },
      },
    ],
    ["a 403", { type: "status", status: 403, body: { message: "Forbidden" } }],
    ["an inactive application", { type: "status", status: 403 }],
    ["a 404 for the list itself", { type: "status", status: 404 }],
    ["an outage", { type: "html" }],
    ["server errors", { type: "status", status: 500 }],
    ["a 429", { type: "status", status: 429 }],
    ["an empty body", { type: "empty" }],
    ["an answer that is no list", { type: "status", status: 200, body: { activities: [] } }],
  ] as const satisfies readonly (readonly [string, FaultAction])[]) {
    for (const nth of [1, 3]) {
      test(`case 71: a list that ends with ${what} at its page ${nth} withdraws nothing, not even what it no longer showed`, async () => {
        const engine = await oneDeleted();
        engine.sandbox.injectFault({ match: { kind: "list", nth }, times: ALWAYS, action });
        const syncId = engine.start(0, { mode: "full" });
        await engine.clock.advance(30 * MINUTE_MS);
        expect(syncOf(engine, syncId).status).not.toBe("completed");
        expect(shown(engine)).toBe(3);
      });
    }
  }

  test("case 71: a complete list withdraws what it no longer shows, and nothing else", async () => {
    const engine = await oneDeleted();
    await syncToEnd(engine, { mode: "full" });
    expect(heldRaces(engine).map((race) => race.withdrawnReason)).toEqual(["no longer in the list", null, null]);
  });

  test("case 71: a list that shows none of the races is not believed at once, says so, and is believed when an hour later another says the same", async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: { quota: PLENTY, club: { athletes: [{ activities: dailyRuns(60, [0, 5, 30]) }] } },
    });
    const { engine } = api;
    const fullSync = async () => {
      await api.post("/api/admin/athletes/1/sync", { mode: "full" });
      await api.settle();
      return (await api.get("/api/admin/sync-status")).body.recent[0];
    };
    await fullSync();
    for (const { stravaActivityId } of heldRaces(engine)) engine.sandbox.deleteActivity(stravaActivityId);
    const firstMs = engine.clock.nowMs();
    expect(await fullSync()).toMatchObject({
      status: "completed",
      warnings: [expect.stringContaining("none of the 3 races")],
    });
    expect((await api.get("/api/admin/races")).body.items.length).toBe(3);
    engine.clock.jumpTo(firstMs + HOUR_MS - MINUTE_MS);
    await fullSync();
    expect((await api.get("/api/admin/races")).body.items.length).toBe(3);
    engine.clock.jumpTo(firstMs + HOUR_MS);
    expect(await fullSync()).toMatchObject({ status: "completed", warnings: [] });
    expect((await api.get("/api/admin/races")).body.items).toEqual([]);
  });

  test("case 71: an account that looks empty for once, and is itself again, loses nothing", async () => {
    const engine = engineWith(dailyRuns(60, [0, 5, 30]));
    await syncToEnd(engine);
    engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "status", status: 200, body: [] } });
    expect((await syncToEnd(engine, { mode: "full" })).warnings).toContain("none of the 3 races");
    expect(shown(engine)).toBe(3);
    await engine.clock.advance(2 * HOUR_MS);
    await syncToEnd(engine, { mode: "full" });
    engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "status", status: 200, body: [] } });
    await engine.clock.advance(2 * HOUR_MS);
    // The list in between was whole, so that this one is the first of its kind again.
    await syncToEnd(engine, { mode: "full" });
    expect(shown(engine)).toBe(3);
  });
});

describe("the books", () => {
  const PHASES: Partial<Record<RequestKind, string>> = {
    list: "discovery",
    detail: "enrichment",
    token: "token",
    revoke: "revoke",
    athlete: "probe",
  };

  /** Requests by day, athlete, phase and status, as Strava saw them; 0 for those whose answer never got through. */
  function countedByStrava(engine: TestEngine): Record<string, number> {
    const athletes = engine.sandbox.athletes().map(({ stravaId }) => stravaId);
    const keyOf = ({ atMs, stravaId, kind, isDelivered, status }: LedgerEntry) =>
      `${new Date(atMs).toISOString().slice(0, 10)} athlete ${athletes.indexOf(stravaId ?? 0) + 1} ${PHASES[kind]} ${isDelivered ? status : 0}`;
    return countBy(engine.sandbox.ledger().map((entry) => [keyOf(entry), 1]));
  }

  function countedHere(engine: TestEngine): Record<string, number> {
    return countBy(
      readLedger(engine.db, 0 as never).map(({ dayStartMs, athleteId, phase, status, requests }) => [
        `${new Date(dayStartMs).toISOString().slice(0, 10)} athlete ${athleteId} ${phase} ${status}`,
        requests,
      ]),
    );
  }

  function countBy(counts: readonly (readonly [string, number])[]): Record<string, number> {
    const sums = new Map<string, number>();
    for (const [key, count] of counts) sums.set(key, (sums.get(key) ?? 0) + count);
    return Object.fromEntries([...sums].sort());
  }

  const FAULTS: readonly FaultAction[] = [
    { type: "status", status: 500 },
    { type: "html" },
    { type: "status", status: 404 },
    { type: "lost_response" },
    { type: "reset" },
    { type: "hang" },
    { type: "truncated" },
    { type: "slow", ms: 40_000 },
    { type: "status", status: 401 },
    { type: "status", status: 429 },
    { type: "no_rate_headers" },
    { type: "wrong_athlete" },
    { type: "status", status: 200, html: "<html></html>" },
  ];

  test("case 73: under every kind of fault the ledger is Strava's own count, by day, athlete, phase and status", async () => {
    const club = { athletes: 3, activitiesEach: 40, racesEach: 20 };
    const engine = createTestEngine({ db: emptyDb(), sandbox: { club, latencyMs: 50 } });
    byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
    FAULTS.forEach((action, at) => {
      engine.sandbox.injectFault({ match: { kind: "detail", nth: 2 + at * 2 }, action });
      if (at % 3 === 0) engine.sandbox.injectFault({ match: { kind: "list", nth: 2 + at / 3 }, action });
    });
    engine.sandbox.injectFault({ match: { kind: "token", nth: 2 }, action: { type: "lost_response" } });
    const syncIds = [0, 1, 2].map((n) => engine.start(n));
    await tickMinutes(engine, 90);
    for (const syncId of syncIds) expect(syncOf(engine, syncId).status).toBe("completed");
    const counted = countedByStrava(engine);
    expect(countedHere(engine)).toEqual(counted);
    const statuses = new Set(Object.keys(counted).map((key) => key.split(" ").at(-1)));
    expect([...statuses].sort()).toEqual(["0", "200", "401", "404", "429", "500", "502"]);
  });

  // The ledger books a request when it is answered; Strava counts it when it comes.
  test("case 73: over midnight each request is booked on the day that Strava books it on, whatever our clock says", async () => {
    for (const skewMs of [-90 * SECOND_MS, 0, 90 * SECOND_MS]) {
      const club = { athletes: 1, activitiesEach: 70, racesEach: 60 };
      const engine = createTestEngine({
        db: emptyDb(),
        sandbox: { club, latencyMs: 2_000, skewMs },
        requestsInFlight: 1,
      });
      engine.clock.jumpTo(Date.UTC(2025, 10, 18) - skewMs - 61 * SECOND_MS);
      await syncToEnd(engine);
      const counted = countedByStrava(engine);
      expect(countedHere(engine)).toEqual(counted);
      expect(new Set(Object.keys(counted).map((key) => key.slice(0, 10))).size).toBe(2);
    }
  });

  test("case 73: a death costs the books at most what was under way, and nothing is booked twice", async () => {
    let engine = engineWith(
      dailyRuns(
        60,
        Array.from({ length: 40 }, (_, place) => place),
      ),
      { sandbox: { latencyMs: 50 } },
    );
    const syncId = engine.start();
    for (let deaths = 1; deaths <= 4; deaths++) {
      await engine.clock.advance(130);
      engine = engine.rebooted();
    }
    await untilEnded(engine, syncId);
    const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0);
    const [ours, theirs] = [countedHere(engine), countedByStrava(engine)];
    expect(sum(theirs) - sum(ours)).toBeGreaterThanOrEqual(0);
    expect(sum(theirs) - sum(ours)).toBeLessThanOrEqual(4 * 8);
    for (const [key, count] of Object.entries(ours)) expect(count).toBeLessThanOrEqual(theirs[key] ?? 0);
  });

  test("case 73: when all is quiet the four windows are Strava's too, and whoever asks the API is told so", async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: { club: { athletes: 2, activitiesEach: 40, racesEach: 20 }, latencyMs: 50 },
    });
    const { engine } = api;
    for (const action of FAULTS.slice(0, 6)) engine.sandbox.injectFault({ match: { kind: "detail", nth: 3 }, action });
    await api.post("/api/admin/syncs");
    await api.settle(2 * HOUR_MS);
    const { overall, read } = engine.sandbox.quota();
    const { windows, by, in_flight } = (await api.get("/api/admin/quota")).body;
    const used = (budget: string, window: string) =>
      windows.find((each: { budget: string; window: string }) => each.budget === budget && each.window === window)
        ?.used;
    expect([used("overall", "15min"), used("overall", "day")]).toEqual([overall.quarter.used, overall.day.used]);
    expect([used("read", "15min"), used("read", "day")]).toEqual([read.quarter.used, read.day.used]);
    expect(in_flight).toBe(0);
    const asked = by.reduce((sum: number, asker: { requests: number }) => sum + asker.requests, 0);
    expect(asked).toBe(engine.sandbox.ledger().length);
  });
});
