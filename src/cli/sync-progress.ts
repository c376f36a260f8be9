import type { SyncJson } from "../api/sync-view.ts";
import { createPaint, visibleWidth } from "./paint.ts";
import { athleteName, type Drawing, renderProgress, renderSyncLine } from "./sync-line.ts";
import type { World } from "./world.ts";

/** Shows how syncs go on: given them again and again, it writes what a person wants to see of the difference. */
export type SyncProgress = {
  show(syncs: readonly SyncJson[]): void;
};

/** A screen holds so many; the others are counted in one line. */
const LIVE_LINES_MAX = 20;

/**
 * On a terminal: one line per sync in progress, written over at each call, and above them what has happened. Anywhere
 * else: a line whenever the status or the phase of a sync changes, or a batch of it is done.
 */
export function createSyncProgress(world: Pick<World, "terminal" | "clock" | "timeZone">): SyncProgress {
  const { terminal, clock, timeZone } = world;
  const paint = createPaint(terminal.color);
  const drawing = (): Drawing => ({ nowMs: clock.nowMs(), timeZone, paint });
  const before = new Map<string, SyncJson>();
  let liveLines = 0;

  /** What is written above the live lines, once. */
  function news(sync: SyncJson): string[] {
    const former = before.get(sync.sync_id);
    before.set(sync.sync_id, sync);
    const lines: string[] = [];
    const isNewsworthy = former === undefined || former.status !== sync.status || former.phase !== sync.phase;
    if (former?.status === "stalled" && sync.status !== "stalled") {
      lines.push(`${paint.bold(athleteName(sync))}  ${paint.green("healed")}: it moves again`);
    }
    if (isEnded(sync)) {
      if (isNewsworthy) lines.push(renderSyncLine(sync, drawing()));
    } else if (terminal.isTerminal) {
      if (isNewsworthy && sync.status === "stalled") lines.push(renderSyncLine(sync, drawing()));
    } else if (isNewsworthy || former.health.completed_batches !== sync.health.completed_batches) {
      lines.push(`${athleteName(sync)}: ${renderProgress(sync, drawing())}`);
    }
    return lines;
  }

  function live(syncs: readonly SyncJson[]): string[] {
    const running = syncs.filter((sync) => !isEnded(sync));
    const lines = running.slice(0, LIVE_LINES_MAX).map((sync) => renderSyncLine(sync, drawing()));
    if (running.length > LIVE_LINES_MAX) lines.push(paint.dim(`… and ${running.length - LIVE_LINES_MAX} more`));
    // A line that wraps could not be written over.
    return lines.map((line) => cut(line, terminal.columns - 1));
  }

  return {
    show(syncs) {
      const lines = syncs.flatMap(news);
      if (!terminal.isTerminal) {
        if (lines.length > 0) terminal.out(lines.join("\n"));
        return;
      }
      const next = live(syncs);
      const text = [...lines, ...next].join("\n");
      const rewind = liveLines === 0 ? "" : `\u001b[${liveLines}A\u001b[0J`;
      liveLines = next.length;
      if (text !== "") terminal.out(`${rewind}${text}`);
    },
  };
}

/** Whether a sync has come to its end, whichever. */
export function isEnded({ status }: Pick<SyncJson, "status">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** Cut to so many columns; colours are given up where it has to be cut, so that none is left open. */
function cut(line: string, columns: number): string {
  if (visibleWidth(line) <= columns) return line;
  return `${Bun.stripANSI(line).slice(0, Math.max(1, columns - 1))}…`;
}
