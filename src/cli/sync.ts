import type { GivenArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { type DaemonClient, findDaemon, RefusedError } from "./daemon-client.ts";
import { FailedError, UsageError } from "./failures.ts";
import { followSyncs } from "./follow-syncs.ts";
import { loadSettings } from "./settings.ts";
import { counted } from "./sync-line.ts";
import { createSyncProgress } from "./sync-progress.ts";
import type { ExitCode, World } from "./world.ts";

export const sync: Command = {
  name: "sync",
  summary: "starts a sync of one athlete, or of all",
  details: `Asks the running daemon to sync the athlete of that id (as "broomwagon status" shows it), or every connected one.
With --wait it shows the progress till the end: 0 when it completed, 1 when it failed or was cancelled. Ctrl-C leaves the
sync running.`,
  positionals: ["athlete-id"],
  optional: 1,
  flags: {
    all: { description: "Every connected athlete." },
    mode: {
      takes: "full|incremental",
      description: "Left out: incremental once there was a complete list, else full.",
    },
    wait: { description: "Shows the progress till the end." },
    restart: { description: "Cancels the athlete's running sync, if there is one, and starts anew." },
  },
  takesSettings: true,
  async run(given, world) {
    const request = readRequest(given);
    const { config } = loadSettings(given, world);
    const syncIds = await request.start(findDaemon(config, world), world);
    if (!given.switches.has("wait")) {
      if (syncIds.length > 0) world.terminal.out(`Watch with "${world.program} status", or start with --wait.`);
      return 0;
    }
    return watch(syncIds, () => findDaemon(config, world), world);
  },
};

type SyncRequest = { readonly start: (daemon: DaemonClient, world: World) => Promise<readonly string[]> };

/** @throws UsageError */
function readRequest({ positionals, values, switches }: GivenArguments): SyncRequest {
  const [athlete] = positionals;
  const isAll = switches.has("all");
  const mode = values.mode;
  const isRestart = switches.has("restart");
  const problems = [
    ...(athlete === undefined && !isAll ? ["Say which athlete: give its id, or --all."] : []),
    ...(athlete !== undefined && isAll ? ["Give an athlete's id or --all, not both."] : []),
    ...(athlete !== undefined && !/^[1-9]\d*$/.test(athlete)
      ? [`${JSON.stringify(athlete)} is no athlete's id: it is a number.`]
      : []),
    ...(mode !== undefined && mode !== "full" && mode !== "incremental" ? ["--mode is full or incremental."] : []),
    ...(isAll && isRestart ? ["--restart goes with one athlete's id, not with --all."] : []),
  ];
  if (problems.length > 0) throw new UsageError(problems);
  const body = { ...(mode === undefined ? {} : { mode }), ...(isRestart ? { restart: true } : {}) };
  return {
    start: (daemon, world) =>
      athlete === undefined ? startAll(daemon, body, world) : startOne(daemon, { athlete, body }, world),
  };
}

async function startOne(
  daemon: DaemonClient,
  { athlete, body }: { athlete: string; body: object },
  { terminal }: World,
): Promise<readonly string[]> {
  try {
    const { sync_id: id } = await daemon.post<{ sync_id: string }>(`/api/admin/athletes/${athlete}/sync`, body);
    terminal.out(`Sync ${id} of athlete ${athlete} started.`);
    return [id];
  } catch (error) {
    if (error instanceof RefusedError && error.code === "sync_in_progress") {
      throw new FailedError(
        `${error.message} (--restart cancels sync ${String(error.problem.sync_id)} and starts anew.)`,
      );
    }
    throw error;
  }
}

type StartedAll = {
  readonly started: readonly { readonly athlete_id: number; readonly sync_id: string }[];
  readonly skipped: readonly { readonly athlete_id: number; readonly reason: string }[];
};

/** Athletes who are skipped are told of, and are no failure: most often their sync runs already. */
async function startAll(daemon: DaemonClient, body: object, { terminal }: World): Promise<readonly string[]> {
  const { started, skipped } = await daemon.post<StartedAll>("/api/admin/syncs", body);
  terminal.out(
    `${counted(started.length, "sync")} started${skipped.length === 0 ? "." : `, ${counted(skipped.length, "athlete")} skipped:`}`,
  );
  for (const { athlete_id: id, reason } of skipped) terminal.out(`  athlete ${id}: ${reason}`);
  return started.map(({ sync_id: id }) => id);
}

async function watch(syncIds: readonly string[], find: () => DaemonClient, world: World): Promise<ExitCode> {
  if (syncIds.length === 0) return 0;
  const interruption = world.interruption();
  const followed = await followSyncs(syncIds, { find, progress: createSyncProgress(world), world, interruption });
  const { terminal, program } = world;
  switch (followed.outcome) {
    case "interrupted":
      terminal.error(
        `No longer watching. ${syncIds.length === 1 ? "The sync goes" : "The syncs go"} on: "${program} status" shows how.`,
      );
      return 1;
    case "ended": {
      const unwell = followed.syncs.filter(({ status }) => status !== "completed");
      if (unwell.length > 0 && syncIds.length > 1)
        terminal.error(`${unwell.length} of ${syncIds.length} syncs did not complete.`);
      return unwell.length === 0 ? 0 : 1;
    }
    default:
      return followed satisfies never;
  }
}
