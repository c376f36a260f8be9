import type { AlertRuleName, TroubleSubject } from "../core/alert-rules.ts";
import type { EpochMs } from "../core/units.ts";
import { closeTrouble, holdTroubleOpen, openTrouble, type TroubleKey } from "../db/alert-troubles.ts";
import type { SyncContext } from "./context.ts";

type Telling = Pick<SyncContext, "db" | "commits" | "clock" | "bell">;
export type Trouble = {
  readonly rule: AlertRuleName;
  readonly subject: TroubleSubject;
  /** A sentence: what is wrong and what to do. No names, no secrets. */
  readonly message: string;
  readonly traceId?: string | null | undefined;
  /** Since when it has been there, where that is not just now. */
  readonly sinceMs?: EpochMs;
};

/** Something has gone wrong, once more perhaps. Inside the transaction that makes it so. */
export function tellTrouble(context: Telling, trouble: Trouble): void {
  openTrouble(context.db, { ...trouble, nowMs: context.clock.nowMs() });
  context.commits.afterCommit(context.bell.ring);
}

/** A state that lasts is there, as whoever looks every minute sees it. Inside a transaction. */
export function tellStandingTrouble(context: Telling, trouble: Trouble): void {
  if (holdTroubleOpen(context.db, { ...trouble, nowMs: context.clock.nowMs() }))
    context.commits.afterCommit(context.bell.ring);
}

/** It is over. Inside a transaction. */
export function tellTroubleOver(context: Telling, key: TroubleKey): void {
  if (closeTrouble(context.db, key, context.clock.nowMs())) context.commits.afterCommit(context.bell.ring);
}
