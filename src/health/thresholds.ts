import { isThreshold, THRESHOLD_NAMES, type ThresholdName, type Thresholds } from "../core/thresholds.ts";
import type { EpochMs } from "../core/units.ts";
import { readSetting, storeSetting } from "../db/settings.ts";
import { readObject } from "../db/stored-json.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { SyncContext } from "../sync/context.ts";
import type { HealthRules } from "./monitor.ts";

/** What a person set in place of the configuration. */
type Overrides = { readonly [Name in ThresholdName]?: number };

/** What to change: a value, or null to go back to the configuration; what is left out stays. */
export type ThresholdChange = { readonly [Name in ThresholdName]?: number | null | undefined };

export type ThresholdsView = {
  readonly current: Thresholds;
  readonly configured: Thresholds;
  /** Those that a person set. */
  readonly overrides: Overrides;
  /** When a person last changed any; null: nobody ever did. */
  readonly changedAtMs: EpochMs | null;
  readonly changedBy: string | null;
};

export type ThresholdKeeper = {
  view(): ThresholdsView;
  /** Changes them at once and over restarts; what is the same already is left alone. `by`: whose hand did it. */
  change(change: ThresholdChange, by: string): void;
  /** The rules of the monitor: each read of a threshold is of the moment. */
  rules(fixed: Omit<HealthRules, ThresholdName>): HealthRules;
};

/** Keeps the thresholds: as configured, unless a person set them while it ran. */
export function keepThresholds(
  context: Pick<SyncContext, "db" | "clock" | "commits" | "log">,
  configured: Thresholds,
): ThresholdKeeper {
  const { db, clock, commits, log } = context;
  let kept = readKept(readSetting(db, "thresholds"));
  const current = (name: ThresholdName): number => kept.overrides[name] ?? configured[name];

  return {
    view: () => ({
      current: pick(current),
      configured: pick((name) => configured[name]),
      ...kept,
    }),
    change(change, by) {
      const changed = THRESHOLD_NAMES.filter((name) => isChanged(kept.overrides[name], change[name]));
      if (changed.length === 0) return;
      const overrides = withChange(kept.overrides, change);
      const next = { overrides, changedAtMs: clock.nowMs(), changedBy: by };
      const detail = Object.fromEntries(
        changed.map((name) => [
          KEYS[name],
          {
            from: current(name),
            to: overrides[name] ?? configured[name],
            origin: overrides[name] === undefined ? "configuration" : "api",
          },
        ]),
      );
      commits.now(() => {
        storeSetting(db, "thresholds", writeKept(next));
        recordByHand(context, by, { action: "thresholds.changed", detail });
      });
      kept = next;
      const names = changed.map((name) => `${KEYS[name]} is ${overrides[name] ?? configured[name]}`).join(", ");
      log.info("thresholds.changed", `Somebody changed the thresholds of healing: ${names}.`);
    },
    rules: (fixed) => ({
      ...fixed,
      get stallAfterDiscoveryMs() {
        return current("stallAfterDiscoveryMs");
      },
      get stallAfterEnrichmentMs() {
        return current("stallAfterEnrichmentMs");
      },
      get maxRemedies() {
        return current("maxRemedies");
      },
    }),
  };
}

/** As they are called outside: in the setting and in the audit. */
const KEYS = {
  stallAfterDiscoveryMs: "stall_after_discovery_ms",
  stallAfterEnrichmentMs: "stall_after_enrichment_ms",
  maxRemedies: "max_remedies",
} as const satisfies Record<ThresholdName, string>;

type Kept = Pick<ThresholdsView, "overrides" | "changedAtMs" | "changedBy">;

function pick(of: (name: ThresholdName) => number): Thresholds {
  return {
    stallAfterDiscoveryMs: of("stallAfterDiscoveryMs"),
    stallAfterEnrichmentMs: of("stallAfterEnrichmentMs"),
    maxRemedies: of("maxRemedies"),
  };
}

function isChanged(before: number | undefined, wanted: number | null | undefined): boolean {
  return wanted !== undefined && (wanted ?? undefined) !== before;
}

function withChange(before: Overrides, change: ThresholdChange): Overrides {
  const after: { [Name in ThresholdName]?: number } = { ...before };
  for (const name of THRESHOLD_NAMES) {
    const wanted = change[name];
    if (wanted === null) delete after[name];
    else if (wanted !== undefined) after[name] = wanted;
  }
  return after;
}

function writeKept({ overrides, changedAtMs, changedBy }: Kept): string {
  const values = THRESHOLD_NAMES.map((name) => [KEYS[name], overrides[name]]);
  return JSON.stringify({ ...Object.fromEntries(values), changed_at: changedAtMs, changed_by: changedBy });
}

/** What a hand left in the setting that is no threshold does not count. */
function readKept(text: string | undefined): Kept {
  const stored = readObject(text ?? "");
  const overrides: { [Name in ThresholdName]?: number } = {};
  for (const name of THRESHOLD_NAMES) {
    const value = stored[KEYS[name]];
    if (isThreshold(name, value)) overrides[name] = value;
  }
  const { changed_at: atMs, changed_by: by } = stored;
  return {
    overrides,
    changedAtMs: Number.isSafeInteger(atMs) ? (atMs as EpochMs) : null,
    changedBy: typeof by === "string" ? by : null,
  };
}
