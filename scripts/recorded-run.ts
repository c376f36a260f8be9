/**
 * Real input: a daemon syncs an athlete whose activities were recorded from Strava, over HTTP, twice.
 *
 *     bun scripts/recorded-run.ts DIR
 *
 * DIR holds recorded pages of the list; the details are synthesised from them by the sandbox.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { loadConfig } from "../src/config.ts";
import { startDaemon } from "../src/daemon.ts";
import { createSandbox } from "../src/sandbox/sandbox.ts";
import { serveSandbox } from "../src/sandbox/serve.ts";

export type RecordedSync = {
  readonly status: string;
  readonly seconds: number;
  readonly activitiesListed: number;
  readonly racesEnriched: number;
  readonly listRequests: number;
  readonly detailRequests: number;
};
export type RecordedRun = {
  readonly first: RecordedSync;
  readonly second: RecordedSync;
  readonly races: readonly {
    strava_activity_id: number;
    visibility: string;
    polyline: string | null;
    description: string | null;
    enrichment: string;
  }[];
  readonly athletePublished: boolean;
};

type Api = (method: string, path: string, body?: unknown) => Promise<unknown>;
/** Far above what a sync takes; a run that hangs must end. */
const LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Runs two full syncs of the recorded athlete through a daemon of its own. */
export async function runRecording(folder: string): Promise<RecordedRun> {
  const dataDir = mkdtempSync(join(tmpdir(), "broomwagon-recorded-"));
  const sandbox = createSandbox({ clock: systemClock, seed: 1, club: { folder } });
  const served = serveSandbox(sandbox, { port: 0 });
  const env = {
    BROOMWAGON_PORT: "0",
    BROOMWAGON_DATA_DIR: dataDir,
    BROOMWAGON_STRAVA_API_URL: `${served.url}/api/v3`,
    BROOMWAGON_STRAVA_OAUTH_URL: `${served.url}/oauth`,
    STRAVA_CLIENT_ID: "12345",
    STRAVA_CLIENT_SECRET: "sandbox-secret",
  };
  const loaded = loadConfig({ flags: {}, env, readFile: () => undefined, isTerminal: false });
  if (!loaded.ok) throw new Error("The configuration of the run is bad");
  const daemon = await startDaemon({ config: loaded.config, version: "recorded-run", writeLogLine: () => {} });
  const api: Api = async (method, path, body) => {
    const init = {
      method,
      headers: { authorization: `Bearer ${daemon.runtimeToken}`, "content-type": "application/json" },
    };
    const response = await fetch(
      `${daemon.url}/api/admin${path}`,
      body === undefined ? init : { ...init, body: JSON.stringify(body) },
    );
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  try {
    const athlete = sandbox.athletes()[0];
    if (athlete === undefined) throw new Error(`Nobody was recorded in ${folder}`);
    const imported = (await api("POST", "/athletes", {
      strava_id: athlete.stravaId,
      first_name: athlete.firstName,
      last_name: athlete.lastName,
      access_token: athlete.accessToken,
      refresh_token: athlete.refreshToken,
      expires_at: athlete.expiresAtSeconds,
      scope: athlete.scope,
    })) as { id: number; publish: boolean };
    const sync = async (): Promise<RecordedSync> => {
      sandbox.clearLedger();
      const startedMs = performance.now();
      const { sync_id } = (await api("POST", `/athletes/${imported.id}/sync`, { mode: "full" })) as { sync_id: string };
      const ended = await waitForEnd(api, sync_id);
      const counted = (kind: string) => sandbox.ledger().filter((entry) => entry.kind === kind).length;
      return {
        status: ended.status,
        seconds: (performance.now() - startedMs) / 1000,
        activitiesListed: ended.activities_listed,
        racesEnriched: ended.activities_synced,
        listRequests: counted("list"),
        detailRequests: counted("detail"),
      };
    };
    const first = await sync();
    const second = await sync();
    const races = (await api("GET", "/races?limit=200")) as { items: RecordedRun["races"] };
    return { first, second, races: races.items, athletePublished: imported.publish };
  } finally {
    await daemon.stop();
    await served.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

type Ended = { status: string; activities_listed: number; activities_synced: number };

async function waitForEnd(api: Api, syncId: string): Promise<Ended> {
  for (let waitedMs = 0; waitedMs < LIMIT_MS; waitedMs += LOOK_EVERY_MS) {
    const status = (await api("GET", "/sync-status")) as { recent: (Ended & { sync_id: string })[] };
    const ended = status.recent.find((sync) => sync.sync_id === syncId);
    if (ended !== undefined) return ended;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`Sync ${syncId} did not end within ${LIMIT_MS / 1000} s`);
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) {
    process.stderr.write("Usage: bun scripts/recorded-run.ts DIR (a folder of recorded list pages)\n");
    process.exit(2);
  }
  const run = await runRecording(folder);
  const line = (name: string, sync: RecordedSync) =>
    `${name}: ${sync.status} in ${sync.seconds.toFixed(1)} s; ${sync.activitiesListed} activities listed in ${sync.listRequests} requests, ${sync.racesEnriched} races enriched with ${sync.detailRequests} detail requests\n`;
  process.stdout.write(line("first full sync", run.first));
  process.stdout.write(line("second full sync", run.second));
  const priv = run.races.filter((race) => race.visibility === "only_me").length;
  const traced = run.races.filter((race) => race.polyline !== null).length;
  process.stdout.write(`${run.races.length} races held, ${priv} of them private, ${traced} with a full track\n`);
}
