import type { FindingJson } from "../api/finding-view.ts";
import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { renderFinding } from "./finding-line.ts";
import { createPaint } from "./paint.ts";
import { loadSettings } from "./settings.ts";

type FindingsAnswer = { readonly items: readonly FindingJson[]; readonly next_cursor: string | null };

const LIMIT = 20;

export const healthFindings: Command = {
  name: "health findings",
  summary: "lists what health checks found, and what came of it",
  details: `Lists the newest ${LIMIT} findings: what was wrong, what was done about it, and whether that was verified.`,
  flags: { json: { description: "The API's answer, as it is." } },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone } = world;
    const { config } = loadSettings(given, world);
    const answer = await findDaemon(config, world).get<FindingsAnswer>(`/api/admin/health/findings?limit=${LIMIT}`);
    if (given.switches.has("json")) {
      terminal.out(JSON.stringify(answer, null, 2));
      return 0;
    }
    const drawing = { nowMs: clock.nowMs(), timeZone, paint: createPaint(terminal.color) };
    const lines = answer.items.map((finding) => renderFinding(finding, drawing));
    terminal.out(lines.length === 0 ? "No health check has found anything yet." : lines.join("\n\n"));
    if (answer.next_cursor !== null) terminal.out("\nThere are older ones: see /api/admin/health/findings.");
    return 0;
  },
};
