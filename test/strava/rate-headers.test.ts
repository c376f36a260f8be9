import { expect, test } from "bun:test";
import { parseRateHeaders } from "../../src/strava/rate-headers.ts";

const overall = { limit: [200, 2000], usage: [9, 345] } as const;
const read = { limit: [100, 1000], usage: [8, 344] } as const;

test.each([
  ["X-RateLimit-Limit", "X-RateLimit-Usage", "X-ReadRateLimit-Limit", "X-ReadRateLimit-Usage"],
  ["X-Ratelimit-Limit", "X-Ratelimit-Usage", "X-Readratelimit-Limit", "X-Readratelimit-Usage"],
  ["x-ratelimit-limit", "X-RATELIMIT-USAGE", "x-readRatelimit-limit", "x-readratelimit-usage"],
])("all four headers are read, in any casing: %s", (limit, usage, readLimit, readUsage) => {
  const headers = new Headers({ [limit]: "200,2000", [usage]: "9,345", [readLimit]: "100,1000", [readUsage]: "8,344" });
  expect(parseRateHeaders(headers)).toEqual({ overall, read });
});

test("an upload's answer has no read pair, and some answers have no headers at all", () => {
  const headers = new Headers({ "x-ratelimit-limit": "200,2000", "x-ratelimit-usage": "9,345" });
  expect(parseRateHeaders(headers)).toEqual({ overall });
  expect(parseRateHeaders(new Headers())).toBeUndefined();
});

test("usage 0 and usage past the limit are both usage", () => {
  const headers = new Headers({ "x-readratelimit-limit": "100, 1000", "x-readratelimit-usage": " 0,1337 " });
  expect(parseRateHeaders(headers)?.read?.usage).toEqual([0, 1337]);
});

test.each([
  ["", "9,345"],
  ["200", "9,345"],
  ["200,", "9,345"],
  ["200,2000,5", "9,345"],
  ["200,2000", "nine,345"],
  ["200,2000", "-1,345"],
  ["200,2000", "1.5,345"],
  ["200,2000", "9999999999,345"],
  ["0,0", "0,0"],
])("a malformed pair counts as absent: %p and %p", (limit, usage) => {
  const headers = new Headers({ "x-ratelimit-limit": limit, "x-ratelimit-usage": usage });
  expect(parseRateHeaders(headers)).toBeUndefined();
});

test("a header that came twice is malformed, and the other pair still counts", () => {
  const headers = new Headers({ "x-ratelimit-limit": "200,2000", "x-ratelimit-usage": "9,345" });
  headers.append("x-ratelimit-limit", "200,2000");
  headers.set("x-readratelimit-limit", "100,1000");
  headers.set("x-readratelimit-usage", "8,344");
  expect(parseRateHeaders(headers)).toEqual({ read });
});
