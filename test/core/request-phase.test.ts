import { expect, test } from "bun:test";
import { REQUEST_PHASES, STATUS_CLASSES, statusClass } from "../../src/core/request-phase.ts";

test("any answer falls into one of a few classes, and a full quota into its own", () => {
  const classes = [0, 100, 199, 200, 299, 300, 399, 400, 428, 429, 430, 499, 500, 599, 999].map(statusClass);
  expect(classes.join(" ")).toBe("none none none 2xx 2xx 3xx 3xx 4xx 4xx 429 4xx 4xx 5xx 5xx 5xx");
});

test("what is counted by keeps its names: dashboards are built on them", () => {
  expect(REQUEST_PHASES.join(" ")).toBe(
    "discovery enrichment event club deauthorize probe connect token revoke webhook",
  );
  expect(STATUS_CLASSES.join(" ")).toBe("none 2xx 3xx 4xx 429 5xx");
});
