import { expect, test } from "bun:test";
import { checkBoundMs, failedCheck, isOwnKind, OWN_KINDS, slowCheck, unchecked } from "../../src/core/own-findings.ts";
import { epochMs, syncId } from "../../src/core/units.ts";

const BEGAN = epochMs(1_763_334_772_370);
const syncs = (count: number) => Array.from({ length: count }, (_, place) => syncId(place + 1));

test("what is wrong with the daemon itself is told apart from what is wrong with a sync", () => {
  expect([...OWN_KINDS]).toEqual(["slow_check", "failed_check", "schedule_overdue"]);
  expect(OWN_KINDS.every(isOwnKind)).toBe(true);
  expect(["no_progress", "", "slow"].some(isOwnKind)).toBe(false);
});

test("a check may take a third of its period, ten seconds at most, and a millisecond at least", () => {
  expect([0, 1, 3, 4, 6_000, 29_999, 30_000, 30_003, 3_600_000].map(checkBoundMs)).toEqual([
    1, 1, 1, 1, 2_000, 10_000, 10_000, 10_000, 10_000,
  ]);
});

test("a slow check says how long it took, and whether that was all", () => {
  expect(slowCheck(BEGAN, { tookMs: 12_000, boundMs: 10_000, isRunning: false })).toEqual({
    kind: "slow_check",
    beganAtMs: BEGAN,
    evidence: { took_ms: 12_000, bound_ms: 10_000, still_running: "no" },
    message: "A health check took 12000 ms, where it may take 10000 ms.",
    remedy: null,
  });
  expect(slowCheck(BEGAN, { tookMs: 12_000, boundMs: 10_000, isRunning: true })).toMatchObject({
    evidence: { still_running: "yes" },
    message: "A health check took more than 12000 ms, where it may take 10000 ms.",
  });
});

test("a check that threw says what", () => {
  expect(failedCheck(BEGAN, { tookMs: 7, reason: "disk full" })).toEqual({
    kind: "failed_check",
    beganAtMs: BEGAN,
    evidence: { took_ms: 7 },
    message: "A health check failed: disk full",
    remedy: null,
  });
});

test("syncs that could not be checked are named, twenty of them, and the others counted", () => {
  expect(unchecked(BEGAN, { tookMs: 7, syncIds: syncs(1) })).toEqual({
    kind: "failed_check",
    beganAtMs: BEGAN,
    evidence: { took_ms: 7, syncs_not_checked: 1 },
    message: "A health check could not check sync 1; the log says why (monitor.sync_not_checked).",
    remedy: null,
  });
  const messageOf = (count: number) => unchecked(BEGAN, { tookMs: 7, syncIds: syncs(count) }).message;
  expect(messageOf(2)).toContain("could not check syncs 1, 2; the log");
  expect(messageOf(20)).toContain("19, 20; the log");
  expect(messageOf(21)).toContain("19, 20 and 1 more; the log");
});
