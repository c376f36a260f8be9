import type { Clock, Dice } from "../core/units.ts";
import type { Commits } from "../db/group-commit.ts";
import type { Db } from "../db/open.ts";
import type { StravaClient } from "../strava/client.ts";
import type { Log } from "../telemetry/log.ts";
import type { Tracer } from "../telemetry/tracing.ts";
import type { Bell } from "./bell.ts";
import type { Links } from "./links.ts";
import type { Governor } from "./requests/governor.ts";
import type { TokenKeeper } from "./requests/tokens.ts";

/** The numbers that syncing goes by: from the configuration. */
export type SyncRules = {
  readonly enrichmentBatchSize: number;
  readonly concurrency: number;
  readonly maxAttempts: number;
  readonly leaseMs: number;
  readonly rescanMs: number;
  readonly virtualRuns: boolean;
};

/** What every use case works with. Put together in `daemon.ts`. */
export type SyncContext = {
  readonly db: Db;
  readonly commits: Commits;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly tracer: Tracer;
  /** undefined without the application's credentials: nothing can be synced, and everything says so. */
  readonly strava: StravaClient | undefined;
  readonly governor: Governor;
  readonly tokens: TokenKeeper;
  readonly rules: SyncRules;
  readonly links: Links;
  /** Rung after a commit that opened or closed a trouble. */
  readonly bell: Bell;
  /** Random for this start of the daemon: tells its own leases from a former process's, whatever the clocks say. */
  readonly owner: string;
};
