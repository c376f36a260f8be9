import { afterEach, describe, expect, test } from "bun:test";
import { createPaint } from "../../src/cli/paint.ts";
import { renderProgress, renderWait } from "../../src/cli/sync-line.ts";
import { clockTime, spellDuration } from "../../src/cli/time-words.ts";
import { answering, aSync, createTestWorld, json, NOW_MS, type TestWorld } from "./test-world.ts";

const drawing = { nowMs: NOW_MS, timeZone: "UTC", paint: createPaint(false) };

const SYNC_STATUS = {
  active: [
    aSync(),
    aSync({
      sync_id: "8",
      first_name: "Bo\u001b[2J",
      last_name: "",
      status: "waiting",
      waiting: { reason: "quota_15min", resumes_at: NOW_MS + 125_000, detail: "…" },
    }),
  ],
  recent: [],
  summary: {
    active: 2,
    processing: 1,
    waiting: 1,
    stalled: 0,
    completed_24h: 4,
    failed_24h: 1,
    healing: "automatic",
    last_health_check_at: NOW_MS - 4_000,
  },
};
const HEALTH = {
  is_alive: true,
  open_findings: 1,
  stalls_detected: 3,
  remedies_applied: 3,
  remedies_verified: 2,
  remedies_failed: 1,
  auto_fix_success_rate: 2 / 3,
  mean_time_to_repair_ms: 9_998,
  false_remedies: 0,
  stalls_per_100_syncs: 12.345,
  stalls_per_day: 1.52,
  time_to_detect: { p50_ms: 45_000, p90_ms: 60_000 },
  time_to_repair: { p50_ms: 9_000, p90_ms: 10_000 },
  by_kind: [
    { kind: "orphaned_batch", stalls_detected: 2 },
    { kind: "no_progress", stalls_detected: 1 },
    { kind: "far_wait", stalls_detected: 0 },
  ],
};
const QUOTA = {
  windows: [
    { budget: "read", window: "15min", limit: 100, used: 50, reserve: 0, resets_at: NOW_MS + 900_000 },
    { budget: "read", window: "day", limit: 1_000, used: 50, reserve: 100, resets_at: NOW_MS + 22 * 3_600_000 },
  ],
  hold: null,
  club: { detail: "Done by 2025-11-18 00:00 UTC, needs 71 requests." },
};

let world: TestWorld | undefined;
afterEach(() => world?.discard());

function statusWorld(health: object = HEALTH): TestWorld {
  world = createTestWorld({
    fetch: answering({
      "GET /api/admin/sync-status": () => json(SYNC_STATUS),
      "GET /api/admin/health": () => json(health),
      "GET /api/admin/quota": () => json(QUOTA),
    }),
  });
  world.pretendDaemon();
  return world;
}

describe("status", () => {
  test("shows what runs, what ended, healing and quota", async () => {
    const { run, lines } = statusWorld();
    expect(await run("status")).toBe(0);
    expect(lines).toEqual([
      "Broomwagon at http://daemon.test",
      "2 syncs in progress, 1 processing, 1 waiting, none stalled; in 24 hours 4 completed, 1 failed",
      "",
      "In progress",
      "  Caro Curlew (3)         enrichment  █████████████████░░░░░░░ 45/65 races  3 of 5 batches done, 1 running, 1 pending",
      "  Bo [2J (3)              enrichment  █████████████████░░░░░░░ 45/65 races  waits for Strava's quarter-hour quota until 02:02:05 (in 2 min 5 s)",
      "  Done by 2025-11-18 00:00 UTC, needs 71 requests.",
      "",
      "Ended last",
      "  nothing yet",
      "",
      "Healing, since yesterday 00:00 UTC",
      "  last check 4 s ago, healing is automatic",
      "  3 stalls found, 3 remedies applied, 2 verified, 1 failed, findings: 1 open",
      "  success: 67 % of the remedies judged, repaired in 10 s on average",
      "  stalls: 12.3 per 100 syncs, 1.5 a day, half found within 45 s, nine of ten within 1 min, half repaired within 9 s, nine of ten within 10 s",
      "  by kind: orphaned_batch 2, no_progress 1",
      "",
      "Strava's quota",
      "  reads, quarter-hour  ██████████░░░░░░░░░░  50/100   resets 02:15:00",
      "  reads, day           █░░░░░░░░░░░░░░░░░░░  50/1000  resets 2025-11-18 00:00:00  100 reserved",
    ]);
  });

  test("says of stalls only what there was: nothing where there was none, a false remedy where there was one", async () => {
    const none = { p50_ms: null, p90_ms: null };
    const quiet = { ...HEALTH, stalls_detected: 0, stalls_per_100_syncs: null, by_kind: [] };
    const silent = { ...quiet, time_to_detect: none, time_to_repair: none };
    const shown = async (health: object) => {
      const { run, lines } = statusWorld(health);
      await run("status");
      const text = lines.join("\n");
      world?.discard();
      return text;
    };
    expect(await shown(silent)).not.toContain("stalls: ");
    const long = { p50_ms: 60_000, p90_ms: null };
    const slow = await shown({ ...HEALTH, time_to_detect: none, time_to_repair: long });
    expect(slow).toContain("  stalls: 12.3 per 100 syncs, 1.5 a day, half repaired within 1 min\n");
    expect(await shown({ ...silent, remedies_failed: 0 })).toContain("2 verified, findings: 1 open");
    expect(await shown({ ...silent, false_remedies: 1 })).toContain("\n  stalls: 1 false remedy\n\n");
  });

  test("--json gives the API's answers as they are", async () => {
    const { run, lines } = statusWorld();
    expect(await run("status", "--json")).toBe(0);
    expect(JSON.parse(lines.join("\n"))).toEqual({ sync_status: SYNC_STATUS, health: HEALTH, quota: QUOTA });
  });

  test("says when what answers is another program, or another daemon", async () => {
    world = createTestWorld({ fetch: async () => new Response("<html>", { status: 200 }) });
    world.pretendDaemon();
    expect(await world.run("status")).toBe(1);
    world.discard();
    world = createTestWorld({ fetch: async () => new Response("<html>", { status: 404 }) });
    world.pretendDaemon();
    expect(await world.run("status")).toBe(1);
    expect(world.errors.join("\n")).toContain("is no Broomwagon");
  });
});

describe("a sync in a line", () => {
  test("in discovery it says how many activities are listed, since nobody knows of how many", () => {
    expect(renderProgress(aSync({ phase: "discovery", activities_expected: null }), drawing)).toStartWith(
      "discovery   240 activities listed",
    );
  });

  test("with nothing to enrich its bar is full", () => {
    expect(renderProgress(aSync({ activities_synced: 0, activities_expected: 0 }), drawing)).toContain(
      "████████████████████████ 0/0",
    );
  });

  test("one that waits for nobody knows when says why; one whose time has come says now", () => {
    const waiting = (resumesAtMs: number | null) =>
      renderWait(aSync({ waiting: { reason: "paused", resumes_at: resumesAtMs, detail: "" } }), drawing);
    expect(waiting(null)).toBe("paused");
    expect(waiting(NOW_MS)).toBe("paused until 02:00:00 (now)");
    expect(waiting(NOW_MS + 1_000)).toBe("paused until 02:00:01 (in 1 s)");
  });
});

describe("times in words", () => {
  test("a duration is told in its two largest units", () => {
    const spelled = [0, 999, 1_000, 59_999, 60_000, 125_000, 3_599_999, 3_600_000, 86_400_000, 90_000_000].map(
      spellDuration,
    );
    expect(spelled).toEqual([
      "0 ms",
      "999 ms",
      "1 s",
      "59 s",
      "1 min",
      "2 min 5 s",
      "59 min 59 s",
      "1 h",
      "1 d",
      "1 d 1 h",
    ]);
  });

  test("a time of another day has its date, by the calendar of the zone", () => {
    const at = (timeZone: string) => clockTime(NOW_MS + 12 * 3_600_000, { nowMs: NOW_MS, timeZone });
    expect(at("UTC")).toBe("14:00:00");
    expect(at("Australia/Sydney")).toBe("2025-11-18 01:00:00");
  });
});
