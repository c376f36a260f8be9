import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../../src/cli/world.ts";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config.ts";
import { SECOND_MS } from "../../src/core/units.ts";
import { type Daemon, startDaemon } from "../../src/daemon.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";

const PUBLIC_URL = "https://club.example";
const LIMIT_MS = 10 * SECOND_MS;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A real daemon on a free port, and a Strava that reaches it at its public address. */
async function start(lines: string[]): Promise<{ daemon: Daemon; sandbox: Sandbox; directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), "broomwagon-webhooks-"));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
  const reached: { daemon?: Daemon } = {};
  const sandbox = createSandbox({
    clock: systemClock,
    seed: 3,
    club: { athletes: [{ activities: [] }] },
    deliver: async (request) =>
      fetch(request.url.replace(PUBLIC_URL, await addressOf(reached)), {
        method: request.method,
        ...(request.method === "POST" ? { body: await request.text() } : {}),
      }),
  });
  ends.push(() => sandbox.stop());
  const env = {
    BROOMWAGON_PORT: "0",
    BROOMWAGON_DATA_DIR: directory,
    BROOMWAGON_PUBLIC_URL: PUBLIC_URL,
    STRAVA_CLIENT_ID: "12345",
    STRAVA_CLIENT_SECRET: "sandbox-secret",
    BROOMWAGON_STRAVA_API_URL: "https://strava.test/api/v3",
    BROOMWAGON_STRAVA_OAUTH_URL: "https://strava.test/oauth",
  };
  const loaded = loadConfig({ flags: {}, env, readFile: () => undefined, isTerminal: false });
  if (!loaded.ok) throw new Error("the configuration is refused");
  const writeLogLine = (line: string) => void lines.push(line);
  const daemon = await startDaemon({ config: loaded.config, version: "1.2.3", writeLogLine, fetch: sandbox.fetch });
  reached.daemon = daemon;
  ends.push(() => daemon.stop());
  return { daemon, sandbox, directory };
}

/** The daemon listens a moment before its start has returned. */
async function addressOf(reached: { daemon?: Daemon }): Promise<string> {
  return (await until(() => reached.daemon)).url;
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const startMs = systemClock.nowMs(); systemClock.nowMs() < startMs + LIMIT_MS; await pause(systemClock, 5)) {
    const seen = await look();
    if (seen !== undefined) return seen;
  }
  throw new Error("It did not come about");
}

test("a daemon with a public address subscribes at its start, holds a race the moment it is told of it, and stops in time", async () => {
  const lines: string[] = [];
  const { daemon, sandbox } = await start(lines);
  const headers = { authorization: `Bearer ${daemon.runtimeToken}` };
  const get = async (path: string) => (await fetch(`${daemon.url}${path}`, { headers })).json();
  const [athlete] = sandbox.athletes();
  const imported = await fetch(`${daemon.url}/api/admin/athletes`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      strava_id: athlete?.stravaId,
      first_name: "A",
      last_name: "B",
      access_token: athlete?.accessToken,
      refresh_token: athlete?.refreshToken,
      expires_at: athlete?.expiresAtSeconds,
    }),
  });
  expect(imported.status).toBe(201);
  await until(async () => (await get("/api/admin/webhook")).subscription ?? undefined);
  const { id } = sandbox.addActivity(athlete?.stravaId ?? 0, { workout_type: 1, name: "Told of" });
  const race = await until(async () => (await get("/api/admin/races")).items[0]);
  expect(race).toMatchObject({ strava_activity_id: id, name: "Told of", enrichment: "enriched" });
  expect(sandbox.events()).toMatchObject([{ outcome: "delivered" }]);
  const jobs: { job: string; next_run_at: number | null }[] = (await get("/api/admin/schedule")).items;
  for (const job of ["strava-events", "webhook-subscription"]) {
    expect(jobs.find((one) => one.job === job)?.next_run_at).toBeGreaterThan(0);
  }
  const secret = new URL(sandbox.subscription()?.callbackUrl ?? "").pathname.split("/").at(-1) ?? "none";
  expect(secret.length).toBeGreaterThan(40);
  expect(lines.join("\n")).not.toContain(secret);
}, 30_000);

test("a foreign writer's lock does not keep Strava waiting: it is answered within 100 ms, and delivers again", async () => {
  const { daemon, sandbox, directory } = await start([]);
  const { callbackUrl, id } = await until(() => sandbox.subscription());
  const headers = { authorization: `Bearer ${daemon.runtimeToken}` };
  await until(
    async () => (await (await fetch(`${daemon.url}/api/admin/webhook`, { headers })).json()).subscription ?? undefined,
  );
  const path = new URL(callbackUrl).pathname;
  const event = { object_type: "activity", aspect_type: "create", owner_id: 1, subscription_id: id, event_time: 1 };
  const deliver = (object_id: number) =>
    fetch(`${daemon.url}${path}`, { method: "POST", body: JSON.stringify({ ...event, object_id }) });
  const foreign = new Database(join(directory, "broomwagon.sqlite"));
  ends.push(() => foreign.close());
  foreign.run("BEGIN IMMEDIATE");
  const tookMs: number[] = [];
  // A busy machine may be slow at any of them; a wait that blocks would be slow at each of the first.
  for (let n = 1; n <= 3; n++) {
    const startMs = performance.now();
    expect((await deliver(n)).status).toBe(503);
    tookMs.push(performance.now() - startMs);
  }
  foreign.run("ROLLBACK");
  expect(Math.min(...tookMs)).toBeLessThan(100);
  await until(async () => ((await deliver(99)).status === 200 ? true : undefined));
}, 30_000);
