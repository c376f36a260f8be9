import type { Alerter } from "../alerts/alerter.ts";
import type { ChannelKeeper } from "../alerts/keep-channels.ts";
import type { ClubForecast } from "../core/forecast.ts";
import type { Incident } from "../core/incident.ts";
import type { QuotaRules } from "../core/quota.ts";
import type { EpochMs } from "../core/units.ts";
import type { RandomBytes } from "../db/seal.ts";
import type { Monitor } from "../health/monitor.ts";
import type { Ping } from "../health/ping.ts";
import type { ThresholdKeeper } from "../health/thresholds.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { ConnectRules } from "../sync/athletes/sign-in.ts";
import type { SyncContext } from "../sync/context.ts";
import type { StravaEvents } from "../sync/events/assemble-events.ts";
import type { Processor } from "../sync/processor.ts";
import type { ProcessFigures } from "../telemetry/process-figures.ts";
import type { Auth } from "./auth.ts";

/** What the API works with. Put together in `daemon.ts`. */
export type ApiDeps = {
  readonly context: SyncContext;
  readonly processor: Processor;
  readonly events: StravaEvents;
  readonly monitor: Monitor;
  /** undefined where nobody outside is told of health checks. */
  readonly ping: Ping | undefined;
  readonly thresholds: ThresholdKeeper;
  readonly alerts: Alerter;
  readonly channels: ChannelKeeper;
  readonly scheduler: Scheduler;
  /** The scheduler's job that runs the health check: how often the monitor must tick. */
  readonly healthJob: string;
  /** The one that has the processor look for work: how often it must tick. */
  readonly processorJob: string;
  /** The one that revokes grants: run at once when one has to go. */
  readonly revokeJob: string;
  readonly quotaRules: QuotaRules;
  /** When the syncs in progress will be done, as things stand now. */
  readonly forecast: () => ClubForecast;
  /** The settings that an incident file tells of, as they are now. */
  readonly incidentConfig: () => Incident["config"];
  readonly connectRules: ConnectRules;
  readonly auth: Auth;
  /** For new tokens: the machine's own, never dice. */
  readonly randomBytes: RandomBytes;
  /** Where a trace can be looked at; null where nobody said. */
  readonly traceUrl: (traceId: string) => string | null;
  readonly version: string;
  /** What the process uses of its machine. */
  readonly readProcess: () => ProcessFigures;
  /** Whether `/metrics` wants no token. */
  readonly isMetricsPublic: boolean;
};

/**
 * What routes are built from: the dependencies, who sent an admitted request, and since when the API is up. While routes
 * are built, nothing is asked of any of them: the documentation is made without a daemon.
 */
export type RouteDeps = ApiDeps & {
  readonly actorOf: (request: Request) => string;
  readonly startedAtMs: EpochMs;
};
