import { expect, test } from "bun:test";
import { afterFailedTry } from "../../src/core/enrichment.ts";

test("a race's failed try is tried again until its last, which fails it with the reason", () => {
  expect(afterFailedTry(0, 5, "timeout")).toEqual({ as: "retry", attempts: 1, error: "timeout" });
  expect(afterFailedTry(3, 5, "timeout")).toEqual({ as: "retry", attempts: 4, error: "timeout" });
  expect(afterFailedTry(4, 5, "timeout")).toEqual({ as: "failed", attempts: 5, error: "timeout" });
  expect(afterFailedTry(5, 5, "timeout")).toEqual({ as: "failed", attempts: 6, error: "timeout" });
});

test("with one attempt allowed, the first failed try is the last", () => {
  expect(afterFailedTry(0, 1, "garbage")).toEqual({ as: "failed", attempts: 1, error: "garbage" });
});
