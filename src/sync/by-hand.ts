import { type AuditEntry, addAudit } from "../db/audit.ts";
import type { SyncContext } from "./context.ts";

/**
 * Records what a person changed, in the transaction that changes it. Nothing where nobody did: what the daemon does by
 * itself is in its own logs.
 * @param actor as the gate names whoever asked; undefined: the daemon itself.
 */
export function recordByHand(
  { db, clock }: Pick<SyncContext, "db" | "clock">,
  actor: string | undefined,
  change: Omit<AuditEntry, "atMs" | "actor">,
): void {
  if (actor !== undefined) addAudit(db, { atMs: clock.nowMs(), actor, ...change });
}
