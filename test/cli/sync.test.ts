import { afterEach, describe, expect, test } from "bun:test";
import type { SyncJson } from "../../src/api/sync-view.ts";
import type { Clock } from "../../src/core/units.ts";
import { answering, aSync, createTestWorld, json, NOW_MS, problem, type TestWorld } from "./test-world.ts";

/** A clock on which every wait is over at once, and time passes by as much. */
function hastyClock(): Clock {
  let nowMs = NOW_MS;
  return {
    nowMs: () => nowMs as ReturnType<Clock["nowMs"]>,
    after(delayMs, work) {
      const immediate = setImmediate(() => {
        // Time limits of requests are as long as this: they never come.
        if (delayMs >= 60_000) return;
        nowMs += delayMs;
        work();
      });
      return () => clearImmediate(immediate);
    },
  };
}

let world: TestWorld;
afterEach(() => world.discard());

/** A daemon whose sync 7 looks, at each look, as the next of `states` says; it stays with the last one. */
function watchWorld(states: readonly SyncJson[], options: { isTerminal?: boolean; columns?: number } = {}): void {
  let looks = 0;
  world = createTestWorld({
    clock: hastyClock(),
    ...options,
    fetch: answering({
      "POST /api/admin/athletes/3/sync": () => json({ sync_id: "7", athlete_id: 3, mode: "full" }, 202),
      "GET /api/admin/sync-status": () => {
        const state = states[Math.min(looks++, states.length - 1)] ?? aSync();
        const isActive = state.completed_at === null;
        return json({ active: isActive ? [state] : [], recent: isActive ? [] : [state], summary: {} });
      },
    }),
  });
  world.pretendDaemon();
}

const ended = (status: "completed" | "failed" | "cancelled", patch: Partial<SyncJson> = {}) =>
  aSync({ status, completed_at: NOW_MS, activities_synced: 65, ...patch });
const stalled = aSync({
  status: "stalled",
  health: { ...aSync().health, is_stalled: true, pending_batches: 0, warning: "Sync appears stalled." },
});

describe("sync without --wait", () => {
  test("starts the sync and says its id", async () => {
    watchWorld([]);
    expect(await world.run("sync", "3")).toBe(0);
    expect(world.lines[0]).toBe("Sync 7 of athlete 3 started.");
  });

  test("says what the daemon says when it refuses", async () => {
    world = createTestWorld({
      fetch: answering({
        "POST /api/admin/athletes/3/sync": () =>
          problem(409, "sync_in_progress", "One is in progress.", { sync_id: "6" }),
        "POST /api/admin/athletes/4/sync": () => problem(409, "strava_not_configured", "Set STRAVA_CLIENT_ID."),
      }),
    });
    world.pretendDaemon();
    expect(await world.run("sync", "3")).toBe(1);
    expect(await world.run("sync", "4")).toBe(1);
    expect(world.errors).toEqual([
      "One is in progress. (--restart cancels sync 6 and starts anew.)",
      "Set STRAVA_CLIENT_ID.",
    ]);
  });

  test("--all says who was left out, and why", async () => {
    world = createTestWorld({
      fetch: answering({
        "POST /api/admin/syncs": () =>
          json(
            { started: [{ athlete_id: 1, sync_id: "8" }], skipped: [{ athlete_id: 2, reason: "needs_reconnect" }] },
            202,
          ),
      }),
    });
    world.pretendDaemon();
    expect(await world.run("sync", "--all")).toBe(0);
    expect(world.lines.slice(0, 2)).toEqual(["1 sync started, 1 athlete skipped:", "  athlete 2: needs_reconnect"]);
  });

  test("wants an athlete or --all, and a mode that there is", async () => {
    world = createTestWorld();
    for (const args of [[], ["3", "--all"], ["x"], ["0"], ["3", "--mode", "half"], ["--all", "--restart"]]) {
      expect(await world.run("sync", ...args)).toBe(2);
    }
  });
});

describe("sync --wait", () => {
  test("ends with 0 when the sync completed", async () => {
    watchWorld([aSync(), ended("completed")]);
    expect(await world.run("sync", "3", "--wait")).toBe(0);
    expect(world.lines.at(-1)).toContain("completed in 1 min: 65 races enriched, 240 activities listed, 47 requests");
  });

  test("ends with 1 when it failed or was cancelled, with the reason", async () => {
    watchWorld([ended("failed", { error: "Strava refused the token" })]);
    expect(await world.run("sync", "3", "--wait")).toBe(1);
    expect(world.lines.at(-1)).toContain("failed after 1 min: Strava refused the token");
    world.discard();
    watchWorld([ended("cancelled")]);
    expect(await world.run("sync", "3", "--wait")).toBe(1);
  });

  test("without a terminal, writes a line only when something has changed", async () => {
    watchWorld([aSync(), aSync(), stalled, stalled, aSync(), ended("completed")]);
    await world.run("sync", "3", "--wait");
    const lines = world.lines.slice(1);
    expect(lines).toHaveLength(5);
    expect(lines[1]).toContain("STALLED  Sync appears stalled.");
    expect(lines[2]).toContain("healed");
    expect(lines.join("")).not.toContain("\u001b");
  });

  test("on a terminal, writes each look over the one before, cut to its width", async () => {
    watchWorld([aSync(), aSync({ activities_synced: 46 }), ended("completed")], { isTerminal: true, columns: 60 });
    await world.run("sync", "3", "--wait");
    const [, first = "", second = ""] = world.lines;
    expect(first.length).toBeLessThan(60);
    expect(second).toStartWith("\u001b[1A\u001b[0J");
  });

  test("goes on through a restart of the daemon, and gives up on one that stays away", async () => {
    let looks = 0;
    const fetch = answering({
      "POST /api/admin/athletes/3/sync": () => json({ sync_id: "7" }, 202),
      "GET /api/admin/sync-status": () => json({ active: [], recent: [ended("completed")] }),
    });
    world = createTestWorld({
      clock: hastyClock(),
      fetch: (request) => {
        const isAway = request.method === "GET" && looks++ < 10;
        return isAway ? Promise.reject(new Error("connection refused")) : fetch(request);
      },
    });
    world.pretendDaemon();
    expect(await world.run("sync", "3", "--wait")).toBe(0);
    looks = -1_000;
    expect(await world.run("sync", "3", "--wait")).toBe(1);
  });

  test("Ctrl-C leaves the sync running, and says so", async () => {
    watchWorld([aSync()]);
    setImmediate(() => world.interrupt());
    expect(await world.run("sync", "3", "--wait")).toBe(1);
    expect(world.errors).toEqual(['No longer watching. The sync goes on: "broomwagon status" shows how.']);
  });
});
