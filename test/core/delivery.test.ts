import { expect, test } from "bun:test";
import { afterDelivery, deliveryBackoffMs, LONGEST_DELIVERY_WAIT_MS } from "../../src/core/delivery.ts";
import { DAY_MS, epochMs, MINUTE_MS, plusMs } from "../../src/core/units.ts";

const CREATED = epochMs(1_000_000);
const FAILED = { delivered: false, reason: "It answered 500." } as const;
const at = (agoMs: number, jitter = 0.5) => ({ nowMs: plusMs(CREATED, agoMs), jitter });

test("waits grow from five seconds, twice as long each time, to half an hour", () => {
  const waits = [1, 2, 3, 9, 10, 11, 1_000].map(deliveryBackoffMs);
  expect(waits).toEqual([5_000, 10_000, 20_000, 1_280_000, 1_800_000, 1_800_000, 1_800_000]);
});

test("what failed together does not come back together", () => {
  const next = (jitter: number) => afterDelivery(FAILED, { attempts: 1, createdAtMs: CREATED }, at(0, jitter));
  expect([next(0), next(0.5)]).toEqual([
    { is: "due", atMs: plusMs(CREATED, 3_750) },
    { is: "due", atMs: plusMs(CREATED, 5_000) },
  ]);
});

test("the last try is made when a day is up; after it the message is given up, and not before", () => {
  const after = (agoMs: number) => afterDelivery(FAILED, { attempts: 50, createdAtMs: CREATED }, at(agoMs));
  expect(after(DAY_MS - 1)).toEqual({ is: "due", atMs: plusMs(CREATED, DAY_MS) });
  expect([after(DAY_MS), after(DAY_MS + 1)]).toEqual([{ is: "given_up" }, { is: "given_up" }]);
});

test("one that is delivered is, however late; one that can never be is given up at once", () => {
  const message = { attempts: 1, createdAtMs: CREATED };
  expect(afterDelivery({ delivered: true }, message, at(9 * DAY_MS))).toEqual({ is: "delivered" });
  expect(afterDelivery({ ...FAILED, isFinal: true }, message, at(0))).toEqual({ is: "given_up" });
});

test("a receiver may ask for a longer wait, for half an hour at most, and not for a shorter one", () => {
  const next = (retryAfterMs: number) => {
    const after = afterDelivery({ ...FAILED, retryAfterMs }, { attempts: 1, createdAtMs: CREATED }, at(0));
    return after.is === "due" ? after.atMs - CREATED : undefined;
  };
  expect([next(1_000), next(60_000), next(30 * MINUTE_MS), next(DAY_MS)]).toEqual([
    5_000,
    60_000,
    30 * MINUTE_MS,
    30 * MINUTE_MS,
  ]);
});

test("no message waits longer than it is said to, however the dice fall", () => {
  const longest = afterDelivery(FAILED, { attempts: 99, createdAtMs: CREATED }, at(0, 1 - 2 ** -32));
  expect(longest).toEqual({ is: "due", atMs: plusMs(CREATED, LONGEST_DELIVERY_WAIT_MS) });
  expect(LONGEST_DELIVERY_WAIT_MS).toBe(37.5 * MINUTE_MS);
});
