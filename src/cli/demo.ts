import { appendFileSync } from "node:fs";
import { SECOND_MS } from "../core/units.ts";
import { type Daemon, startDaemon } from "../daemon.ts";
import { dataDirectoryPaths } from "../db/data-directory.ts";
import { StartError } from "../db/start-error.ts";
import { serveSandbox } from "../sandbox/serve.ts";
import type { SandboxAthlete } from "../sandbox/token-grants.ts";
import type { GivenArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { createDaemonClient, type DaemonClient } from "./daemon-client.ts";
import { openDemoClub } from "./demo-club.ts";
import { type DemoDirectory, takeDemoDirectory } from "./demo-directory.ts";
import { breakOneSync } from "./demo-hand.ts";
import { DEMO_HEALTH_PERIOD_MS, type DemoSettings, loadDemoSettings } from "./demo-settings.ts";
import { createStory } from "./demo-story.ts";
import { UsageError } from "./failures.ts";
import { createPaint } from "./paint.ts";
import { renderQuota } from "./render-status.ts";
import { importBody } from "./sandbox-introduction.ts";
import type { QuotaAnswer } from "./status-answers.ts";
import type { ExitCode, World } from "./world.ts";

export const demo: Command = {
  name: "demo",
  summary: "shows a club being synced, a stall, and its healing",
  details: `Runs a daemon against the built-in Strava sandbox, with an invented club of eight, in a directory of its own that is
removed at the end. It breaks one sync on purpose, as it once happened, and tells how the daemon finds and repairs it.
No account and no configuration are needed, and nothing outside this machine is asked. Ctrl-C ends it.`,
  flags: {
    port: { takes: "N", description: "Where the daemon listens (BROOMWAGON_PORT); a free port when 8720 is taken." },
    "admin-token": { takes: "TOKEN", description: "The admin token (BROOMWAGON_ADMIN_TOKEN); one is made otherwise." },
    "data-dir": {
      takes: "DIR",
      description: "An empty or a former demo's directory (BROOMWAGON_DATA_DIR); it is kept.",
    },
    for: {
      takes: "SECONDS",
      description: "Ends by itself after so long: 0 when a completed sync and a verified finding were seen, else 1.",
    },
    "until-shown": {
      description: "Ends by itself as soon as both were seen; with --for, after so long at the latest.",
    },
  },
  takesSettings: false,
  async run(given, world) {
    const end: PlannedEnd = { afterMs: readDuration(given), isOnceShown: given.switches.has("until-shown") };
    const settings = loadDemoSettings(given, world);
    const interruption = world.interruption();
    const directory = takeDemoDirectory(settings.dataDir, world.tempDirectory);
    try {
      const club = openDemoClub(world);
      const strava = serveSandbox(club.sandbox, { port: 0 });
      try {
        const daemon = await start(settings, { directory, stravaUrl: strava.url, world });
        const stage = {
          daemon,
          directory,
          settings,
          athletes: club.sandbox.athletes(),
          brokenStravaId: club.brokenStravaId,
        };
        try {
          return await play(stage, { world, interruption, end });
        } finally {
          await daemon.stop();
        }
      } finally {
        await strava.stop();
      }
    } finally {
      directory.discard();
    }
  },
};

/** When a demo ends that nobody ends by hand. */
type PlannedEnd = { readonly afterMs: number | undefined; readonly isOnceShown: boolean };

/** Undefined: till somebody ends it. @throws UsageError */
function readDuration({ values }: GivenArguments): number | undefined {
  if (values.for === undefined) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(values.for) ? Number(values.for) : Number.NaN;
  if (!(seconds > 0 && seconds <= 86_400)) throw new UsageError(["--for is a number of seconds, at most a day."]);
  return seconds * SECOND_MS;
}

/** On the chosen port or the usual one; where nobody chose and the usual one is taken, on a free one. */
async function start(
  { config, isPortChosen }: DemoSettings,
  { directory, stravaUrl, world }: { directory: DemoDirectory; stravaUrl: string; world: World },
): Promise<Daemon> {
  const { version, clock, dice, fetch, terminal } = world;
  const strava = { ...config.strava, apiUrl: `${stravaUrl}/api/v3`, oauthUrl: `${stravaUrl}/oauth` };
  const startOn = (port: number) =>
    startDaemon({
      config: { ...config, port, dataDir: directory.path, strava },
      version,
      clock,
      dice,
      fetch,
      // Beside the story, which would drown in it.
      writeLogLine: (line) => appendFileSync(directory.logPath, `${line}\n`),
    });
  try {
    return await startOn(config.port);
  } catch (error) {
    if (isPortChosen || !(error instanceof StartError) || error.code !== "port_taken") throw error;
    terminal.out(`Port ${config.port} is taken: the demo takes a free one.`);
    return startOn(0);
  }
}

type Stage = {
  readonly daemon: Daemon;
  readonly directory: DemoDirectory;
  readonly settings: DemoSettings;
  readonly athletes: readonly SandboxAthlete[];
  readonly brokenStravaId: number;
};

async function play(
  stage: Stage,
  { world, interruption, end }: { world: World; interruption: AbortSignal; end: PlannedEnd },
): Promise<ExitCode> {
  const { terminal, clock, timeZone } = world;
  const { daemon, directory } = stage;
  const runtime = { address: daemon.url, pid: process.pid, token: daemon.runtimeToken, dataDir: directory.path };
  const client = createDaemonClient(runtime, world);
  const over = new AbortController();
  const ending = AbortSignal.any([interruption, over.signal]);
  const story = createStory({
    out: terminal.out,
    clock,
    timeZone,
    paint: createPaint(terminal.color),
    whenShown: async () => {
      terminal.out(await cost(client, world));
      if (end.isOnceShown) over.abort();
      else terminal.out(invitation(stage, world));
    },
  });
  const callOff = end.afterMs === undefined ? () => {} : clock.after(end.afterMs, () => over.abort());
  try {
    terminal.out(opening(stage, world));
    const imported = await importAthletes(client, stage);
    story.tell(`${stage.athletes.length} athletes imported over the API, with their tokens for the sandbox.`);
    const hand = breakOneSync({
      databasePath: dataDirectoryPaths(directory.path).databasePath,
      athleteId: imported.get(stage.brokenStravaId) ?? 0,
      healthPeriodMs: DEMO_HEALTH_PERIOD_MS,
      clock,
      signal: ending,
    }).then((broken) => broken !== undefined && story.tellOfBroken(broken));
    const { started } = await client.post<{ started: readonly unknown[] }>("/api/admin/syncs", { mode: "full" });
    story.tell(
      `${started.length} full syncs started, four batches at once; a health check runs every ${DEMO_HEALTH_PERIOD_MS / SECOND_MS} s.`,
    );
    await Promise.all([hand, story.follow(client, ending)]);
  } finally {
    callOff();
    over.abort();
  }
  const isShown = story.seen.hasCompletedSync && story.seen.hasVerifiedFinding;
  // Whoever ends a demo by hand has seen enough; one that ends by itself has to have shown what it promises.
  return interruption.aborted || isShown ? 0 : 1;
}

/** @returns our ids by Strava's. */
async function importAthletes(client: DaemonClient, { athletes }: Stage): Promise<ReadonlyMap<number, number>> {
  const ids = new Map<number, number>();
  for (const athlete of athletes) {
    const { id } = await client.post<{ id: number }>("/api/admin/athletes", importBody(athlete));
    ids.set(athlete.stravaId, id);
  }
  return ids;
}

function opening({ daemon, directory, settings }: Stage, { terminal, version }: World): string {
  const { bold } = createPaint(terminal.color);
  const token = daemon.madeAdminToken ?? "the one in BROOMWAGON_ADMIN_TOKEN";
  return [
    `${bold(`Broomwagon ${version}, a demo`)}: an invented club, a Strava sandbox, nothing outside this machine.`,
    "",
    `  address         ${daemon.url}`,
    `  admin token     ${token}`,
    `  documentation   ${daemon.url}/swagger`,
    `  data directory  ${directory.path}${settings.dataDir === undefined ? " (removed at the end)" : ""}`,
    `  daemon's log    ${directory.logPath}`,
    "",
  ].join("\n");
}

async function cost(client: DaemonClient, { terminal, clock, timeZone }: World): Promise<string> {
  const drawing = { nowMs: clock.nowMs(), timeZone, paint: createPaint(terminal.color) };
  const quota = await client.get<QuotaAnswer>("/api/admin/quota");
  return ["", "What it cost of Strava's quota:", ...renderQuota(quota, drawing)].join("\n");
}

function invitation({ daemon, directory }: Stage, { program }: World): string {
  const run = (words: string) => `  BROOMWAGON_DATA_DIR=${directory.path} ${program} ${words}`;
  return [
    "",
    `The demo goes on till Ctrl-C. Sign in as an athlete, in a browser: ${daemon.url}/auth/strava`,
    "Try, in another terminal:",
    "",
    run("status"),
    run("sync --all --mode full --wait"),
    run("health findings"),
  ].join("\n");
}
