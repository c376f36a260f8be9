import type { Incident } from "../core/incident.ts";
import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { writeNewFile } from "./new-file.ts";
import { loadSettings } from "./settings.ts";
import { counted } from "./sync-line.ts";

export const incidentExport: Command = {
  name: "incident export",
  summary: "writes what happened in a sync as a file",
  details: `Has the running daemon write down what happened in a sync (its id is in "status" and in the log), as a JSON file that only you
can read: a timeline of its batches and races, findings, log, quota and settings. It holds no token, no name, nothing of a race's
contents and no id of Strava's. "incident replay" runs the diagnosis over it.`,
  positionals: ["SYNC-ID", "FILE"],
  flags: { force: { description: "Writes over a file that is there." } },
  takesSettings: true,
  async run(given, world) {
    const [syncId = "", path = ""] = given.positionals;
    const { config } = loadSettings(given, world);
    const incident = await findDaemon(config, world).get<Incident>(
      `/api/admin/syncs/${encodeURIComponent(syncId)}/incident`,
    );
    writeNewFile(path, `${JSON.stringify(incident, null, 2)}\n`, { replace: given.switches.has("force") });
    const { batches, races, findings } = incident;
    world.terminal.out(
      `Wrote ${path}: ${counted(batches.length, "batch", "batches")}, ${counted(races.length, "race")}, ${counted(findings.length, "finding")}. Replay it with "${world.program} incident replay ${path}".`,
    );
    return 0;
  },
};
