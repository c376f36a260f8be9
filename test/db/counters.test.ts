import { expect, test } from "bun:test";
import { unknownQuota } from "../../src/core/quota.ts";
import { athleteId, DAY_MS, epochMs, plusMs } from "../../src/core/units.ts";
import { addToCounter, sumCounters } from "../../src/db/counters.ts";
import { addToLedger, readLedger, readQuota, storeQuota } from "../../src/db/quota.ts";
import { noteJobRun, noteJobSkipped, readSchedule } from "../../src/db/schedule.ts";
import { readSetting, storeSetting } from "../../src/db/settings.ts";
import { emptyDb } from "../support/database.ts";

const MIDNIGHT = epochMs(Date.UTC(2025, 10, 17));
const dayBefore = plusMs(MIDNIGHT, -1);

test("counters add up by UTC day, and a sum takes whole days from that of its moment on", () => {
  const db = emptyDb();
  addToCounter(db, "stalls_detected", 2, dayBefore);
  addToCounter(db, "stalls_detected", 3, MIDNIGHT);
  addToCounter(db, "stalls_detected", 4, plusMs(MIDNIGHT, DAY_MS - 1));
  addToCounter(db, "repair_ms", 500, MIDNIGHT);
  const since = (moment: typeof MIDNIGHT) => sumCounters(db, moment).get("stalls_detected");
  expect([since(dayBefore), since(MIDNIGHT), since(plusMs(MIDNIGHT, DAY_MS))]).toEqual([9, 7, undefined]);
  expect(sumCounters(db, MIDNIGHT).get("repair_ms")).toBe(500);
  expect(sumCounters(db, epochMs(0)).get("stalls_detected")).toBe(9);
});

test("the quota is read back as it was stored, the newest over the one before, and not at all in part", () => {
  const db = emptyDb();
  expect(readQuota(db)).toBeUndefined();
  const quota = unknownQuota(MIDNIGHT);
  storeQuota(db, quota);
  const later = { ...quota, read: { ...quota.read, day: { startsAtMs: MIDNIGHT, limit: 3_000, used: 17 } } };
  storeQuota(db, later);
  expect(readQuota(db)).toEqual(later);
  db.$client.run(`DELETE FROM quota_windows WHERE budget = 'read' AND "window" = 'day'`);
  expect(readQuota(db)).toBeUndefined();
});

test("the ledger adds requests of the same day, athlete, phase and status, and keeps others apart", () => {
  const db = emptyDb();
  const line = {
    dayStartMs: MIDNIGHT,
    athleteId: athleteId(3),
    phase: "enrichment",
    status: 200,
    requests: 2,
  } as const;
  addToLedger(db, line);
  addToLedger(db, line);
  addToLedger(db, { ...line, status: 0 });
  addToLedger(db, { ...line, phase: "discovery" });
  addToLedger(db, { ...line, dayStartMs: plusMs(MIDNIGHT, -DAY_MS) });
  expect(readLedger(db, MIDNIGHT)).toEqual([
    { ...line, phase: "discovery" },
    { ...line, status: 0 },
    { ...line, requests: 4 },
  ]);
  expect(readLedger(db, epochMs(0))).toHaveLength(4);
});

test("a job's runs and skipped turns are counted, and the newest run is told", () => {
  const db = emptyDb();
  expect(readSchedule(db, "health")).toBeUndefined();
  noteJobSkipped(db, "health", "missed", 3);
  noteJobRun(db, { job: "health", atMs: MIDNIGHT, durationMs: 5, error: "no" });
  noteJobRun(db, { job: "health", atMs: plusMs(MIDNIGHT, 60_000), durationMs: 7, error: null });
  noteJobSkipped(db, "health", "overrun", 1);
  noteJobSkipped(db, "health", "missed", 2);
  expect(readSchedule(db, "health")).toEqual({
    job: "health",
    lastRunAtMs: plusMs(MIDNIGHT, 60_000),
    lastDurationMs: 7,
    lastError: null,
    runs: 2,
    missed: 5,
    overrun: 1,
  });
});

test("a setting is what was stored last", () => {
  const db = emptyDb();
  expect(readSetting(db, "key_check")).toBeUndefined();
  storeSetting(db, "key_check", "a");
  storeSetting(db, "key_check", "b");
  expect(readSetting(db, "key_check")).toBe("b");
});
