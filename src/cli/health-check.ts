import type { FindingJson } from "../api/finding-view.ts";
import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { renderFinding } from "./finding-line.ts";
import { createPaint, plainText } from "./paint.ts";
import { loadSettings } from "./settings.ts";
import { counted } from "./sync-line.ts";

type CheckAnswer = {
  readonly checked: number;
  readonly dry_run: boolean;
  readonly findings: readonly FindingJson[];
  readonly explained: readonly { readonly sync_id: string; readonly explanation: string }[];
  readonly not_checked: readonly string[];
};

export const healthCheck: Command = {
  name: "health check",
  summary: "runs a health check now",
  details: `Has the running daemon check every sync in progress now, as it does once a minute by itself, and says what it found and
did. With --dry-run it says what it would do and changes nothing.`,
  flags: {
    "dry-run": { description: "Says what it would do, and changes nothing." },
    json: { description: "The API's answer, as it is." },
  },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone, program } = world;
    const { config } = loadSettings(given, world);
    const isDryRun = given.switches.has("dry-run");
    const report = await findDaemon(config, world).post<CheckAnswer>("/api/admin/health/check", { dry_run: isDryRun });
    if (given.switches.has("json")) {
      terminal.out(JSON.stringify(report, null, 2));
      return 0;
    }
    const drawing = { nowMs: clock.nowMs(), timeZone, paint: createPaint(terminal.color) };
    const found = report.findings.length === 0 ? "nothing is wrong" : counted(report.findings.length, "finding");
    const note = report.dry_run ? " (dry run: nothing was changed)" : "";
    terminal.out(`${counted(report.checked, "sync")} checked: ${found}${note}.`);
    for (const finding of report.findings) terminal.out(renderFinding(finding, drawing));
    for (const id of report.not_checked) terminal.out(`Sync ${id} could not be checked; the daemon's log says why.`);
    for (const { sync_id, explanation } of report.explained) {
      terminal.out(drawing.paint.dim(`Sync ${sync_id} is not stalled. ${plainText(explanation)}`));
    }
    if (report.findings.some(({ outcome, id }) => outcome === "proposed" && id !== null)) {
      terminal.out(`Apply a proposed remedy with "${program} health apply ID".`);
    }
    return 0;
  },
};
