import { expect, test } from "bun:test";
import { statusClass } from "../../src/core/request-phase.ts";

test("any answer falls into one of a few classes, and a full quota into its own", () => {
  const classes = [0, 100, 199, 200, 299, 300, 399, 400, 428, 429, 430, 499, 500, 599, 999].map(statusClass);
  expect(classes.join(" ")).toBe("none none none 2xx 2xx 3xx 3xx 4xx 4xx 429 4xx 4xx 5xx 5xx 5xx");
});
