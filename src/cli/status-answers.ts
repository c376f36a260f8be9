import type { SyncJson } from "../api/sync-view.ts";

/**
 * What `status` reads of the API's answers, as `ARCHITECTURE.md` fixes them; they hold more. Times are milliseconds
 * since the epoch, rates from 0 to 1 or null.
 */
export type StatusAnswers = {
  readonly syncStatus: SyncStatusAnswer;
  readonly health: HealthAnswer;
  readonly quota: QuotaAnswer;
};

export type SyncStatusAnswer = {
  readonly active: readonly SyncJson[];
  readonly recent: readonly SyncJson[];
  readonly summary: {
    readonly active: number;
    readonly processing: number;
    readonly waiting: number;
    readonly stalled: number;
    readonly completed_24h: number;
    readonly failed_24h: number;
    readonly healing: "automatic" | "suggest";
    readonly last_health_check_at: number | null;
  };
};

export type HealthAnswer = {
  readonly is_alive: boolean;
  readonly open_findings: number;
  readonly stalls_detected: number;
  readonly remedies_applied: number;
  readonly remedies_verified: number;
  readonly remedies_failed: number;
  readonly auto_fix_success_rate: number | null;
  readonly mean_time_to_repair_ms: number | null;
  readonly false_remedies: number;
  readonly stalls_per_100_syncs: number | null;
  readonly stalls_per_day: number;
  readonly time_to_detect: DurationsAnswer;
  readonly time_to_repair: DurationsAnswer;
  readonly by_kind: readonly { readonly kind: string; readonly stalls_detected: number }[];
};

type DurationsAnswer = { readonly p50_ms: number | null; readonly p90_ms: number | null };

export type QuotaAnswer = {
  readonly windows: readonly QuotaWindowAnswer[];
  readonly hold: { readonly reason: string; readonly until: number } | null;
  /** The forecast for all syncs in progress, in a sentence. */
  readonly club: { readonly detail: string };
};

export type QuotaWindowAnswer = {
  readonly budget: "overall" | "read";
  readonly window: "15min" | "day";
  readonly limit: number;
  readonly used: number;
  readonly reserve: number;
  readonly resets_at: number;
};
