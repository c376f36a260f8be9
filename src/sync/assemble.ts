import type { QuotaRules } from "../core/quota.ts";
import type { Clock, Dice } from "../core/units.ts";
import { type Commits, createCommits } from "../db/group-commit.ts";
import type { Db } from "../db/open.ts";
import type { Seal } from "../db/seal.ts";
import type { StravaClient } from "../strava/client.ts";
import type { Log } from "../telemetry/log.ts";
import type { Tracer } from "../telemetry/tracing.ts";
import { createBell } from "./bell.ts";
import type { SyncContext, SyncRules } from "./context.ts";
import type { Links } from "./links.ts";
import { createGovernor } from "./requests/governor.ts";
import { createTokenStore } from "./requests/token-store.ts";
import { createTokenKeeper } from "./requests/tokens.ts";

export type SyncParts = {
  readonly db: Db;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly tracer: Tracer;
  readonly strava: StravaClient | undefined;
  readonly seal: Seal;
  readonly rules: SyncRules;
  readonly quotaRules: QuotaRules;
  readonly requestsInFlight: number;
  readonly links: Links;
  readonly owner: string;
};

/** Puts together what every use case works with. The daemon, the tests and the benchmark all run this very thing. */
export function assembleSync(parts: SyncParts): SyncContext {
  const { db, clock, dice, log, tracer, strava, seal, rules, quotaRules, requestsInFlight, links, owner } = parts;
  // The governor's books go with every commit, and each of its entries asks for a commit soon.
  const commits: Commits = createCommits({
    db,
    clock,
    beforeCommit: () => governor.persist(),
    onProblem: (error) =>
      log.error("commit.part_not_written", `Part of a commit could not be written: ${String(error)}`),
  });
  // What one transaction writes happened at one moment, however long it takes: rows that belong together are told by it.
  const steadyClock: Clock = {
    nowMs: () => commits.momentMs() ?? clock.nowMs(),
    after: (delayMs, work) => clock.after(delayMs, work),
  };
  const governor = createGovernor({
    db,
    clock,
    dice,
    log,
    rules: quotaRules,
    requestsInFlight,
    scheduleCommit: () => {
      commits
        .soon(() => {})
        .catch((error: unknown) => {
          log.warn("ledger.not_written", `The ledger of requests could not be written yet: ${String(error)}`);
        });
    },
  });
  const tokens = createTokenKeeper({
    store: createTokenStore({ db, clock: steadyClock, seal }),
    commits,
    strava,
    governor,
    tracer,
  });
  return {
    db,
    commits,
    clock: steadyClock,
    dice,
    log,
    tracer,
    strava,
    governor,
    tokens,
    rules,
    links,
    bell: createBell(),
    owner,
  };
}
