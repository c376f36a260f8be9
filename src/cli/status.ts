import type { Command } from "./command.ts";
import { type DaemonClient, findDaemon } from "./daemon-client.ts";
import { createPaint } from "./paint.ts";
import { renderStatus } from "./render-status.ts";
import { loadSettings } from "./settings.ts";
import type { HealthAnswer, QuotaAnswer, StatusAnswers, SyncStatusAnswer } from "./status-answers.ts";

export const status: Command = {
  name: "status",
  summary: "shows what the daemon is doing",
  details: `Shows the syncs in progress (and why those wait that do), what ended last, how healing does, and Strava's quota.
With --json: {"sync_status", "health", "quota"}, each the API's own answer.`,
  flags: { json: { description: "The API's answers, as they are." } },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone } = world;
    const { config } = loadSettings(given, world);
    const daemon = findDaemon(config, world);
    const answers = await ask(daemon);
    if (given.switches.has("json")) {
      const { syncStatus, ...rest } = answers;
      terminal.out(JSON.stringify({ sync_status: syncStatus, ...rest }, null, 2));
      return 0;
    }
    const drawing = { nowMs: clock.nowMs(), timeZone, paint: createPaint(terminal.color) };
    terminal.out(renderStatus(answers, { ...drawing, address: daemon.address }));
    return 0;
  },
};

async function ask(daemon: DaemonClient): Promise<StatusAnswers> {
  const [syncStatus, health, quota] = await Promise.all([
    daemon.get<SyncStatusAnswer>("/api/admin/sync-status"),
    daemon.get<HealthAnswer>("/api/admin/health"),
    daemon.get<QuotaAnswer>("/api/admin/quota"),
  ]);
  return { syncStatus, health, quota };
}
