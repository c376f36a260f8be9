import { ControlRefusal, readFaultRule, readLimits, readNumber, readOneOf } from "./control-input.ts";
import type { ControlRoutes } from "./control-route.ts";
import type { LedgerEntry } from "./ledger.ts";
import { NOT_FOUND_WORDINGS, TOO_MANY_WORDINGS } from "./wording.ts";

/** What was asked, what it cost, what goes wrong, and what time it is. */
export const FAULT_ROUTES: ControlRoutes = {
  "GET ledger": ({ sandbox }) => sandbox.ledger().map(showEntry),
  "DELETE ledger": ({ sandbox }) => sandbox.clearLedger(),
  "POST faults": ({ sandbox, body }) => ({ id: sandbox.injectFault(readFaultRule(body)) }),
  "DELETE faults": ({ sandbox }) => sandbox.clearFaults(),
  "POST hangs/release": ({ sandbox }) => ({ released: sandbox.releaseHangs() }),
  "GET quota": ({ sandbox }) => sandbox.quota(),
  "POST quota": ({ sandbox, body }) => {
    sandbox.setQuota(readLimits(body));
    return sandbox.quota();
  },
  "POST spend": ({ sandbox, body }) => {
    sandbox.spendQuota({
      overall: readNumber(body.overall ?? 0, "overall"),
      read: readNumber(body.read ?? 0, "read"),
    });
    return sandbox.quota();
  },
  "POST other-client": ({ sandbox, body }) =>
    sandbox.otherClient({
      share: readNumber(body.share, "share"),
      pace: readOneOf(body.pace ?? "even", ["even", "eager"], "pace"),
    }),
  "POST wording": ({ sandbox, body: { not_found, too_many } }) =>
    sandbox.setWording({
      ...(not_found === undefined ? undefined : { notFound: readOneOf(not_found, NOT_FOUND_WORDINGS, "not_found") }),
      ...(too_many === undefined ? undefined : { tooMany: readOneOf(too_many, TOO_MANY_WORDINGS, "too_many") }),
    }),
  "POST clock": ({ moveClock, body }) => {
    if (moveClock === undefined) {
      throw new ControlRefusal(400, "this sandbox runs by the machine's clock, which it cannot move");
    }
    return moveClock(readNumber(body.advance_ms, "advance_ms"));
  },
};

function showEntry(entry: LedgerEntry): unknown {
  return {
    at: entry.atMs,
    method: entry.method,
    path: entry.path,
    kind: entry.kind,
    strava_id: entry.stravaId,
    activity_id: entry.activityId,
    page: entry.page,
    status: entry.status,
    is_counted: entry.isCounted,
    is_delivered: entry.isDelivered,
    fault_id: entry.faultId,
  };
}
