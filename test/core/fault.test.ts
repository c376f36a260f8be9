import { expect, test } from "bun:test";
import { type FaultKind, isRetryable } from "../../src/core/fault.ts";

test.each<FaultKind>([
  { scope: "application", kind: "rate_limited" },
  { scope: "application", kind: "app_inactive" },
  { scope: "application", kind: "maintenance" },
  { scope: "item", kind: "server_error" },
  { scope: "item", kind: "timeout" },
  { scope: "item", kind: "network" },
  { scope: "item", kind: "garbage" },
  { scope: "caller", kind: "aborted" },
])("$kind may be over by itself: the same request may well succeed later", (fault) => {
  expect(isRetryable(fault)).toBe(true);
});

test.each<FaultKind>([
  { scope: "application", kind: "wrong_client" },
  { scope: "athlete", kind: "unauthorized" },
  { scope: "athlete", kind: "scope_missing" },
  { scope: "athlete", kind: "access_revoked" },
  { scope: "item", kind: "not_found" },
  { scope: "item", kind: "forbidden" },
  { scope: "item", kind: "wrong_athlete" },
  { scope: "item", kind: "code_refused" },
  { scope: "item", kind: "capacity_reached" },
  { scope: "item", kind: "subscription_exists" },
  { scope: "item", kind: "callback_unverifiable" },
  { scope: "item", kind: "bad_request" },
])("$kind stays as it is until somebody does something about it", (fault) => {
  expect(isRetryable(fault)).toBe(false);
});
