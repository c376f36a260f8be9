import { startDaemon } from "../daemon.ts";
import { dataDirectoryPaths } from "../db/data-directory.ts";
import type { Command } from "./command.ts";
import { loadSettings } from "./settings.ts";
import { untilAborted } from "./world.ts";

export const serve: Command = {
  name: "serve",
  summary: "runs the daemon (the default)",
  details: `Runs the daemon in the foreground: its log goes to standard output, what a person should see once to standard error.
SIGTERM and SIGINT end it within ten seconds; a second signal ends it at once.`,
  takesSettings: true,
  listsSettings: true,
  async run(given, world) {
    const { terminal, version, clock, dice, fetch } = world;
    const { config, warnings } = loadSettings(given, world);
    for (const warning of warnings) terminal.error(`Warning: ${warning}`);
    // Asked for before the start, so that a signal that comes meanwhile is not lost.
    const interruption = world.interruption();
    const daemon = await startDaemon({
      config,
      version,
      clock,
      dice,
      fetch,
      color: terminal.color,
      writeLogLine: (line) => terminal.out(line),
    });
    terminal.error(
      `Broomwagon ${version} listens at ${daemon.url}, with its data in ${dataDirectoryPaths(config.dataDir).path}.`,
    );
    if (config.strava.clientId === undefined) {
      terminal.error(
        "Strava is not configured: nothing can be synced until STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET are set (https://www.strava.com/settings/api).",
      );
    }
    // Never through the log: logs are kept and shipped, and this opens every door.
    if (daemon.madeAdminToken !== undefined) terminal.error(firstToken(daemon.madeAdminToken));
    await untilAborted(interruption);
    await daemon.stop();
    return 0;
  },
};

function firstToken(token: string): string {
  return [
    "",
    "  An admin token was made, since there was none. It is shown only this once:",
    "",
    `      ${token}`,
    "",
    '  Lost it? "broomwagon token create --scope admin" makes another.',
    "",
  ].join("\n");
}
