import { mapQuota, QUOTA_BUDGETS, QUOTA_WINDOWS, type Quota } from "../core/quota.ts";
import { type RequestPhase, statusClass } from "../core/request-phase.ts";
import { type AthleteId, type EpochMs, epochMs } from "../core/units.ts";
import { addToCounter } from "./counters.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

type WindowRow = { budget: string; window: string; startsAtMs: EpochMs; requestLimit: number; used: number };

const readStatement = statement<WindowRow, []>(
  `SELECT budget, "window", starts_at_ms AS startsAtMs, request_limit AS requestLimit, used FROM quota_windows`,
);

/** The quota as last stored; undefined when none was, or not all of it. */
export function readQuota(db: Db): Quota | undefined {
  const rows = new Map(
    readStatement(db)
      .all()
      .map((row) => [`${row.budget}/${row.window}`, row]),
  );
  const isWhole = QUOTA_BUDGETS.every((budget) => QUOTA_WINDOWS.every((window) => rows.has(`${budget}/${window}`)));
  if (!isWhole) return undefined;
  return mapQuota((budget, window) => {
    const row = rows.get(`${budget}/${window}`);
    return { startsAtMs: row?.startsAtMs ?? epochMs(0), limit: row?.requestLimit ?? 0, used: row?.used ?? 0 };
  });
}

const storeStatement = statement<unknown, [string, string, number, number, number]>(
  `INSERT INTO quota_windows (budget, "window", starts_at_ms, request_limit, used) VALUES (?1, ?2, ?3, ?4, ?5)
   ON CONFLICT (budget, "window") DO UPDATE SET starts_at_ms = excluded.starts_at_ms, request_limit = excluded.request_limit, used = excluded.used`,
);

/** Stores the quota: four rows. */
export function storeQuota(db: Db, quota: Quota): void {
  for (const budget of QUOTA_BUDGETS) {
    for (const window of QUOTA_WINDOWS) {
      const use = quota[budget][window];
      storeStatement(db).run(budget, window, use.startsAtMs, use.limit, use.used);
    }
  }
}

export type LedgerLine = {
  readonly dayStartMs: EpochMs;
  /** 0: no athlete's. */
  readonly athleteId: AthleteId;
  readonly phase: RequestPhase;
  /** The HTTP status; 0 when nobody learned it. */
  readonly status: number;
  readonly requests: number;
};

const addUsageStatement = statement<unknown, [number, number, string, number, number]>(
  `INSERT INTO quota_usage (day_start_ms, athlete_id, phase, status, requests) VALUES (?1, ?2, ?3, ?4, ?5)
   ON CONFLICT (day_start_ms, athlete_id, phase, status) DO UPDATE SET requests = requests + excluded.requests`,
);

/** Adds requests to the ledger. */
export function addToLedger(db: Db, line: LedgerLine): void {
  addUsageStatement(db).run(line.dayStartMs, line.athleteId, line.phase, line.status, line.requests);
  // The ledger's old days are deleted; what was ever sent stays counted.
  addToCounter(db, `requests:${line.phase}:${statusClass(line.status)}`, line.requests, line.dayStartMs);
}

const readUsageStatement = statement<LedgerLine, [number]>(
  `SELECT day_start_ms AS dayStartMs, athlete_id AS athleteId, phase, status, requests FROM quota_usage
   WHERE day_start_ms >= ?1 ORDER BY day_start_ms, athlete_id, phase, status`,
);

/** The ledger from a day on. */
export function readLedger(db: Db, sinceMs: EpochMs): readonly LedgerLine[] {
  return readUsageStatement(db).all(sinceMs);
}
