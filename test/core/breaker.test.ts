import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  afterReply,
  type Breaker,
  CLOSED,
  halfOpened,
  isInDoubt,
  isSuspect,
  mayProbe,
  newRound,
  stateOf,
  type Verdict,
  verdictOf,
} from "../../src/core/breaker.ts";
import type { Fault, FaultKind } from "../../src/core/fault.ts";
import { type EpochMs, epochMs, MINUTE_MS, plusMs } from "../../src/core/units.ts";

const NOW = epochMs(1_763_334_000_000);
const REPLY = { nowMs: NOW, jitter: 0.5, isProbe: false, weight: 1 };
const failed = (item: string): Verdict => ({ says: "failed", item });

function after(verdicts: readonly Verdict[], from: Breaker = CLOSED, reply: Partial<typeof REPLY> = {}): Breaker {
  return verdicts.reduce((breaker, verdict) => afterReply(breaker, verdict, { ...REPLY, ...reply }), from);
}
const waitMs = (breaker: Breaker, nowMs: EpochMs = NOW) =>
  breaker.open === undefined ? 0 : breaker.open.untilMs - nowMs;

test("many failures in a row over different things open it; the tenth does, not the ninth", () => {
  const things = Array.from({ length: 10 }, (_, n) => failed(`activity ${n}`));
  expect(after(things.slice(0, 9)).open).toBeUndefined();
  expect(after(things)).toMatchObject({ open: { reason: "strava_unavailable", untilMs: plusMs(NOW, 30_000) } });
});

test("one thing that fails for ever never opens it, nor do two", () => {
  const one = Array.from({ length: 50 }, () => failed("activity 1"));
  expect(after(one).open).toBeUndefined();
  expect(after(Array.from({ length: 50 }, (_, n) => failed(`activity ${n % 2}`))).open).toBeUndefined();
  expect(after(Array.from({ length: 50 }, (_, n) => failed(`activity ${n % 3}`))).open).toBeDefined();
});

test("lists weigh more: those of three athletes in a row open it", () => {
  const lists = [failed("1/list"), failed("2/list"), failed("3/list")];
  expect(after(lists.slice(0, 2), CLOSED, { weight: 4 }).open).toBeUndefined();
  expect(after(lists, CLOSED, { weight: 4 }).open).toBeDefined();
});

test("three times no connection open it, whatever was asked; an answer in between starts the count anew", () => {
  const unreached: Verdict = { says: "unreached" };
  expect(after([unreached, unreached]).open).toBeUndefined();
  expect(after([unreached, unreached, unreached]).open).toBeDefined();
  expect(after([unreached, unreached, { says: "alive" }, unreached, unreached]).open).toBeUndefined();
});

test("an answer that speaks for all opens it at once: an outage for half a minute, an inactive application for a quarter of an hour", () => {
  expect(waitMs(after([{ says: "down", reason: "strava_unavailable" }]))).toBe(30_000);
  expect(waitMs(after([{ says: "down", reason: "app_inactive" }]))).toBe(15 * MINUTE_MS);
  expect(waitMs(after([{ says: "silent" }]))).toBe(30_000);
});

test("what was in flight together opens it once: neither longer waits nor later answers change that", () => {
  const open = after([{ says: "silent" }]);
  expect(after([{ says: "silent" }, { says: "unreached" }, failed("activity 1")], open)).toMatchObject({
    openings: 1,
    open: open.open,
  });
  expect(after([{ says: "alive" }], open).open).toEqual(open.open);
});

test("its waits double up to a quarter of an hour; an answer to a probe closes it and forgets them", () => {
  let breaker = after([{ says: "silent" }]);
  let nowMs: EpochMs = NOW;
  const waits: number[] = [];
  for (let n = 0; n < 8; n++) {
    nowMs = breaker.open?.untilMs ?? nowMs;
    expect(stateOf(breaker, nowMs)).toBe("half_open");
    expect(stateOf(breaker, plusMs(nowMs, -1))).toBe("open");
    breaker = after([{ says: "silent" }], breaker, { nowMs, isProbe: true });
    waits.push(waitMs(breaker, nowMs) / 1_000);
  }
  expect(waits).toEqual([60, 120, 240, 480, 900, 900, 900, 900]);
  expect(after([{ says: "alive" }], breaker, { nowMs, isProbe: true })).toEqual(CLOSED);
});

test("half open, a thing that fails leaves it half open, a third different one opens it again; any answer closes it", () => {
  const halfOpen = halfOpened(after([{ says: "silent" }]), NOW);
  expect(stateOf(halfOpen, NOW)).toBe("half_open");
  const still = after([failed("activity 1"), failed("activity 1"), failed("activity 2")], halfOpen, { isProbe: true });
  expect(stateOf(still, NOW)).toBe("half_open");
  expect([mayProbe(still, "activity 1"), mayProbe(still, "activity 3")]).toEqual([false, true]);
  const reopened = after([failed("activity 3")], still, { isProbe: true });
  expect([stateOf(reopened, NOW), waitMs(reopened)]).toEqual(["open", 60_000]);
  expect(after([{ says: "alive" }], still, { isProbe: true })).toEqual({
    ...CLOSED,
    suspects: ["activity 1", "activity 2"],
  });
  expect(stateOf(after([{ says: "silent" }], still, { isProbe: true }), NOW)).toBe("open");
});

test("an answer that speaks for all speaks for itself when the same thing gives it again, closed or half open", () => {
  const down = (item: string): Verdict => ({ says: "down", reason: "strava_unavailable", item });
  const opened = after([down("activity 1")]);
  expect([stateOf(opened, NOW), isSuspect(opened, "activity 1")]).toEqual(["open", true]);
  const closed = after([{ says: "alive" }], halfOpened(opened, NOW), { isProbe: true });
  expect(stateOf(after([down("activity 1")], closed), NOW)).toBe("closed");
  expect(stateOf(after([down("activity 2")], closed), NOW)).toBe("open");
  // Half open, another thing that gives it is one more of the round, and three of them open it again.
  const round = after([down("activity 2"), down("activity 3")], halfOpened(opened, NOW), { isProbe: true });
  expect(stateOf(round, NOW)).toBe("half_open");
  expect(stateOf(after([down("activity 4")], round, { isProbe: true }), NOW)).toBe("open");
});

test("no more suspects are remembered than matter", () => {
  let breaker = after([{ says: "silent" }]);
  for (let n = 0; n < 300; n++) {
    const halfOpen = halfOpened({ ...breaker, failing: [] }, NOW);
    breaker = afterReply(halfOpen, failed(`activity ${n}`), { ...REPLY, isProbe: true });
  }
  expect(breaker.suspects).toHaveLength(100);
  expect([isSuspect(breaker, "activity 199"), isSuspect(breaker, "activity 200")]).toEqual([false, true]);
});

test("what failed before it opened is not held against the next round", () => {
  const open = after(Array.from({ length: 10 }, (_, n) => failed(`activity ${n}`)));
  expect(stateOf(after([failed("activity 1")], halfOpened(open, NOW), { isProbe: true }), NOW)).toBe("half_open");
});

test("after a day of openings three things that fail no longer open it: the neutral question decides", () => {
  const things = [failed("activity 1"), failed("activity 2"), failed("activity 3")];
  const days = (openings: number) => halfOpened({ ...after([{ says: "silent" }]), openings }, NOW);
  expect(stateOf(after(things, days(99), { isProbe: true }), NOW)).toBe("open");
  const tired = after(things, days(100), { isProbe: true });
  expect(stateOf(tired, NOW)).toBe("half_open");
  expect(mayProbe(tired, "activity 4")).toBe(false);
});

test("a single failure after an answer leaves no doubt, a second one in a row does", () => {
  expect(isInDoubt(after([failed("activity 1")]), 1)).toBe(false);
  expect(isInDoubt(after([failed("activity 1"), failed("activity 1")]), 1)).toBe(true);
  expect(isInDoubt(after([failed("1/list")], CLOSED, { weight: 4 }), 4)).toBe(false);
});

test("the waits spread with the dice, and never end before they begin", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999_999, noNaN: true }), fc.nat({ max: 20 }), (jitter, openings) => {
      const breaker = afterReply({ ...CLOSED, openings }, { says: "silent" }, { ...REPLY, jitter });
      expect(waitMs(breaker)).toBeGreaterThanOrEqual(22_500);
      expect(waitMs(breaker)).toBeLessThanOrEqual(15 * MINUTE_MS * 1.25);
    }),
  );
});

const faultOf = (kind: FaultKind, status?: number): Fault => ({ ...kind, status, message: "It failed." });
const says = (kind: FaultKind, status?: number) => verdictOf(faultOf(kind, status), "detail/1");

test("what speaks for all: an inactive application, wrong credentials, maintenance", () => {
  const inactive: Verdict = { says: "down", reason: "app_inactive" };
  expect(says({ scope: "application", kind: "app_inactive" }, 403)).toEqual(inactive);
  expect(says({ scope: "application", kind: "wrong_client" }, 401)).toEqual(inactive);
  expect(says({ scope: "application", kind: "maintenance" }, 503)).toEqual({
    says: "down",
    reason: "strava_unavailable",
    item: "detail/1",
  });
});

test("a connection that was never made is nobody's but Strava's; one that broke off may be of this answer", () => {
  expect(says({ scope: "item", kind: "network" })).toEqual({ says: "unreached" });
  expect(says({ scope: "item", kind: "network" }, 200)).toEqual({ says: "failed", item: "detail/1" });
});

test.each(["timeout", "server_error", "garbage"] as const)("%s may be Strava's or of this one thing", (kind) => {
  expect(says({ scope: "item", kind }, 500)).toEqual({ says: "failed", item: "detail/1" });
});

test.each<FaultKind>([
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
])("$kind is an answer: Strava is there", (kind) => {
  expect(says(kind, 400)).toEqual({ says: "alive" });
});

test("a full quota, or a request that was called off, says nothing of Strava, and changes nothing", () => {
  expect(says({ scope: "application", kind: "rate_limited" }, 429)).toEqual({ says: "nothing" });
  expect(says({ scope: "caller", kind: "aborted" })).toEqual({ says: "nothing" });
  const doubted = after([failed("activity 1")]);
  expect(after([{ says: "nothing" }], doubted)).toBe(doubted);
});

test("what cannot be reached, or does not answer the neutral question, is unavailable; half open, once is enough", () => {
  const unreached: Verdict = { says: "unreached" };
  expect(after([{ says: "silent" }]).open?.reason).toBe("strava_unavailable");
  expect(after([unreached, unreached, unreached]).open?.reason).toBe("strava_unavailable");
  const halfOpen = halfOpened(after([{ says: "silent" }]), NOW);
  expect(after([unreached], halfOpen, { isProbe: true })).toMatchObject({
    openings: 2,
    open: { reason: "strava_unavailable", untilMs: plusMs(NOW, 60_000) },
  });
});

test("what was in flight when it opened neither counts nor is suspected", () => {
  const open = after([{ says: "silent" }]);
  const late: readonly Verdict[] = [
    failed("activity 1"),
    { says: "down", reason: "strava_unavailable", item: "activity 2" },
  ];
  expect(after(late, open)).toEqual(open);
});

test("closed, a thing that fails is not suspected yet", () => {
  expect(after([failed("activity 1")])).toMatchObject({ failures: 1, failing: ["activity 1"], suspects: [] });
});

test("no more failing things are remembered than open it", () => {
  const things = Array.from({ length: 5 }, (_, n) => failed(`activity ${n}`));
  expect(after(things).failing).toEqual(["activity 2", "activity 3", "activity 4"]);
});

test("a person's word makes it half open where it was open, for the same reason, and changes nothing elsewhere", () => {
  const open = after([{ says: "down", reason: "app_inactive" }]);
  expect(halfOpened(open, NOW).open).toEqual({ reason: "app_inactive", untilMs: NOW });
  expect(halfOpened(CLOSED, NOW)).toBe(CLOSED);
  const later = plusMs(NOW, 15 * MINUTE_MS);
  expect(stateOf(open, later)).toBe("half_open");
  expect(halfOpened(open, later)).toBe(open);
});

test("an answer that speaks for all and is of no single thing suspects nothing, and half open it opens again at once", () => {
  const inactive: Verdict = { says: "down", reason: "app_inactive" };
  const open = after([inactive]);
  expect(open.suspects).toEqual([]);
  const again = after([inactive], halfOpened(open, NOW), { isProbe: true });
  expect(again).toMatchObject({ openings: 2, suspects: [], open: { reason: "app_inactive" } });
  expect(stateOf(again, NOW)).toBe("open");
});

test("a new round forgets what failed in the one before, and nothing else", () => {
  const suspected = after([{ says: "down", reason: "strava_unavailable", item: "list" }]);
  const later = { nowMs: plusMs(NOW, MINUTE_MS), isProbe: true };
  const failing = after([failed("list"), failed("activity 1")], suspected, later);
  expect([mayProbe(failing, "list"), failing.failures]).toEqual([false, 2]);
  const fresh = newRound(failing);
  expect(["list", "activity 1"].map((item) => mayProbe(fresh, item))).toEqual([true, true]);
  expect(fresh).toEqual({ ...failing, failures: 0, failing: [] });
});
