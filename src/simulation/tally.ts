import { DAY_MS } from "../core/units.ts";
import type { Ran } from "./run-plan.ts";

/** What many runs came to, added up. */
export type Tally = {
  seeds: number;
  broken: number;
  simulatedMs: number;
  crashes: number;
  requests: number;
  refusals: number;
  commits: number;
  syncs: number;
  races: number;
  alerts: number;
  happenings: Record<string, number>;
  findings: Record<string, number>;
};

export function createTally(): Tally {
  return {
    seeds: 0,
    broken: 0,
    simulatedMs: 0,
    crashes: 0,
    requests: 0,
    refusals: 0,
    commits: 0,
    syncs: 0,
    races: 0,
    alerts: 0,
    happenings: {},
    findings: {},
  };
}

/** Adds a run to the tally. */
export function addRun(tally: Tally, { breach, simulatedMs, figures }: Omit<Ran, "digest" | "lines">): void {
  tally.seeds++;
  if (breach !== undefined) tally.broken++;
  tally.simulatedMs += simulatedMs;
  for (const name of ["crashes", "requests", "refusals", "commits", "syncs", "races", "alerts"] as const) {
    tally[name] += figures[name];
  }
  for (const name of ["happenings", "findings"] as const) {
    for (const [kind, count] of Object.entries(figures[name])) tally[name][kind] = (tally[name][kind] ?? 0) + count;
  }
}

/** The tally as lines for people; the same for the same runs. */
export function renderTally(tally: Tally): string {
  const { seeds, broken, simulatedMs, crashes, requests, refusals, commits, syncs, races, alerts } = tally;
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ") || "none";
  return [
    `${seeds} seeds, ${(simulatedMs / DAY_MS).toFixed(0)} days of clubs' lives: ${broken === 0 ? "nothing broke" : `${broken} broke`}`,
    `  ${syncs} syncs, ${races} races, ${requests} requests (${refusals} refused), ${commits} commits, ${alerts} alerts delivered`,
    `  ${crashes} deaths and stops of the process, each followed by a start`,
    `  happenings: ${list(tally.happenings)}`,
    `  findings: ${list(tally.findings)}`,
  ].join("\n");
}
