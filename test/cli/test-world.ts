import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SyncJson } from "../../src/api/sync-view.ts";
import { dispatch } from "../../src/cli/dispatch.ts";
import type { World } from "../../src/cli/world.ts";
import { seededDice } from "../../src/core/dice.ts";
import type { Clock, Fetch } from "../../src/core/units.ts";
import { writeRuntimeFile } from "../../src/db/runtime-file.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** 2025-11-17 02:00:00 UTC. */
export const NOW_MS = Date.UTC(2025, 10, 17, 2);

/** A world of a test's own: a directory that vanishes with it, and ears for what is written. */
export type TestWorld = World & {
  readonly directory: string;
  readonly lines: string[];
  readonly errors: string[];
  /** What Ctrl-C does. */
  interrupt(): void;
  /** Runs a command on this world's directory; returns its exit code. */
  run(...args: string[]): Promise<number>;
  /** Leaves the `runtime.json` of a daemon, which `fetch` answers for. */
  pretendDaemon(): void;
  discard(): void;
};

export function createTestWorld(
  options: { fetch?: Fetch; clock?: Clock; env?: Record<string, string>; isTerminal?: boolean; columns?: number } = {},
): TestWorld {
  const directory = mkdtempSync(join(tmpdir(), "broomwagon-cli-"));
  const lines: string[] = [];
  const errors: string[] = [];
  const interruption = new AbortController();
  const world: TestWorld = {
    terminal: {
      out: (text) => void lines.push(...text.split("\n")),
      error: (text) => void errors.push(...text.split("\n")),
      isTerminal: options.isTerminal ?? false,
      columns: options.columns ?? 200,
      color: false,
    },
    env: { BROOMWAGON_DATA_DIR: directory, ...options.env },
    readFile(path) {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return undefined; // Tests give files that are there and readable, or none.
      }
    },
    clock: options.clock ?? new FakeClock(NOW_MS),
    dice: seededDice(1),
    fetch: options.fetch ?? (() => Promise.reject(new Error("connection refused"))),
    version: "1.2.3",
    program: "broomwagon",
    tempDirectory: directory,
    timeZone: "UTC",
    interruption: () => interruption.signal,
    directory,
    lines,
    errors,
    interrupt: () => interruption.abort(),
    run: (...args) => dispatch(args, world),
    pretendDaemon: () =>
      writeRuntimeFile(join(directory, "runtime.json"), {
        address: "http://daemon.test",
        pid: 4711,
        token: "the-token",
      }),
    discard: () => rmSync(directory, { recursive: true, force: true }),
  };
  return world;
}

/** A sync as the API shows it: in enrichment, 45 of 65 races, started a minute ago. */
export function aSync(patch: Partial<SyncJson> = {}): SyncJson {
  return {
    sync_id: "7",
    athlete_id: 3,
    strava_id: 26_500_275,
    first_name: "Caro",
    last_name: "Curlew",
    mode: "full",
    class: "manual",
    phase: "enrichment",
    status: "processing",
    activities_listed: 240,
    activities_synced: 45,
    activities_expected: 65,
    races_failed: 0,
    requests: 47,
    started_at: NOW_MS - 60_000,
    completed_at: null,
    paused_at: null,
    error: null,
    warnings: [],
    waiting: null,
    estimated_completion_at: null,
    trace_id: null,
    trace_url: null,
    health: {
      total_batches: 5,
      completed_batches: 3,
      pending_batches: 1,
      processing_batches: 1,
      failed_batches: 0,
      is_stalled: false,
      warning: null,
      explanation: null,
      last_activity_at: NOW_MS,
    },
    ...patch,
  };
}

/** The answer to a GET or POST of a pretended daemon, by "METHOD /path". */
export function answering(routes: Readonly<Record<string, () => Response>>): Fetch {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (request.headers.get("authorization") !== "Bearer the-token") return problem(401, "unauthorized", "no token");
    return routes[`${request.method} ${pathname}`]?.() ?? problem(404, "route_unknown", "no such route");
  };
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

export function problem(status: number, code: string, detail: string, extras: object = {}): Response {
  return json({ type: "about:blank", title: "", status, code, detail, ...extras }, status);
}
