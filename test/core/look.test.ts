import { describe, expect, test } from "bun:test";
import {
  againForGrant,
  judgeLook,
  LOOK_WITHIN_MS,
  NOT_FOUND_WAITS_MS,
  type Notice,
  type NoticeVerdict,
  type Seen,
  soonest,
} from "../../src/core/look.ts";
import { epochMs, HOUR_MS, MINUTE_MS, plusMs, SECOND_MS } from "../../src/core/units.ts";

const NOW = epochMs(1_763_334_772_370);
const ago = (ms: number) => plusMs(NOW, -ms);
const ahead = (ms: number) => plusMs(NOW, ms);

describe("what a look means", () => {
  const fresh: Notice = { receivedAtMs: NOW, misses: 0 };
  const look = (changes: Partial<Parameters<typeof judgeLook>[1]> = {}) => ({
    nowMs: NOW,
    jitter: 0.5,
    isHeld: true,
    end: undefined,
    change: undefined,
    ...changes,
  });
  const settled = (outcome: string) => ({ becomes: "settled", outcome }) as NoticeVerdict;

  test("Strava's answer alone decides, whatever the events said", () => {
    const both = look({ end: fresh, change: fresh });
    const answers: [Seen, string, string][] = [
      [{ saw: "race" }, "store", "stored"],
      [{ saw: "other_activity" }, "withdraw", "no_race"],
      [{ saw: "foreign_activity" }, "leave", "wrong_athlete"],
    ];
    for (const [seen, race, outcome] of answers) {
      expect(judgeLook(seen, both)).toEqual({ race, end: settled(outcome), change: settled(outcome) } as never);
      expect(judgeLook(seen, look({ change: fresh }))).toMatchObject({ race, end: undefined } as never);
      expect(judgeLook(seen, look({ end: fresh }))).toMatchObject({ race, change: undefined } as never);
    }
  });

  test("an end that Strava told of and a 404 agree: withdrawn at once", () => {
    expect(judgeLook({ saw: "nothing" }, look({ end: fresh }))).toEqual({
      race: "withdraw",
      end: settled("withdrawn"),
      change: undefined,
    });
    expect(judgeLook({ saw: "nothing" }, look({ end: fresh, isHeld: false })).end).toEqual(settled("nothing_held"));
  });

  test("a 404 alone is no end: looked at again after 1, 5 and 30 minutes, and believed after the last", () => {
    expect(NOT_FOUND_WAITS_MS).toEqual([MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS]);
    for (const [misses, waitMs] of NOT_FOUND_WAITS_MS.entries()) {
      expect(judgeLook({ saw: "nothing" }, look({ change: { receivedAtMs: NOW, misses } }))).toEqual({
        race: "leave",
        end: undefined,
        change: { becomes: "due_again", atMs: ahead(waitMs), misses: misses + 1, givenUpUntilMs: undefined },
      });
    }
    const last = { receivedAtMs: NOW, misses: 3 };
    expect(judgeLook({ saw: "nothing" }, look({ change: last }))).toMatchObject({
      race: "withdraw",
      change: settled("withdrawn"),
    });
    expect(judgeLook({ saw: "nothing" }, look({ change: last, isHeld: false })).change).toEqual(settled("not_found"));
  });

  test("with both, the end is settled and the other goes on: what is hidden for now may come back", () => {
    expect(judgeLook({ saw: "nothing" }, look({ end: fresh, change: fresh }))).toMatchObject({
      race: "withdraw",
      end: settled("withdrawn"),
      change: { becomes: "due_again", misses: 1 },
    });
  });

  test("an old event that Strava answers with a 404 is not given up for its age", () => {
    const old = { receivedAtMs: ago(3 * LOOK_WITHIN_MS), misses: 0 };
    expect(judgeLook({ saw: "nothing" }, look({ change: old })).change).toMatchObject({
      becomes: "due_again",
      givenUpUntilMs: undefined,
    });
  });

  test("trouble: the wait doubles the age, from 5 s up to a quarter of an hour, with jitter", () => {
    const waitOf = (ageMs: number, jitter: number) => {
      const { change } = judgeLook(
        { saw: "trouble" },
        look({ change: { receivedAtMs: ago(ageMs), misses: 2 }, jitter }),
      );
      if (change?.becomes !== "due_again") throw new Error("it is not tried again");
      expect(change.misses).toBe(2);
      return change.atMs - NOW;
    };
    expect(waitOf(0, 0.5)).toBe(5 * SECOND_MS);
    expect(waitOf(20 * SECOND_MS, 0.5)).toBe(20 * SECOND_MS);
    expect(waitOf(20 * SECOND_MS, 0)).toBe(15 * SECOND_MS);
    expect(waitOf(20 * SECOND_MS, 1)).toBe(25 * SECOND_MS);
    expect(waitOf(10 * HOUR_MS, 0.5)).toBe(15 * MINUTE_MS);
  });

  test("trouble for 48 hours: given up, and only those that are so old", () => {
    const at = (ageMs: number) =>
      judgeLook({ saw: "trouble" }, look({ change: { receivedAtMs: ago(ageMs), misses: 0 } }));
    // The last look comes just when the time is up, not after it.
    expect(at(LOOK_WITHIN_MS - MINUTE_MS).change).toMatchObject({ atMs: ahead(MINUTE_MS) });
    expect(at(LOOK_WITHIN_MS).change).toMatchObject({ becomes: "due_again", givenUpUntilMs: ago(LOOK_WITHIN_MS) });
    expect(at(LOOK_WITHIN_MS).race).toBe("leave");
    // The younger ones beside it are not tried in circles.
    expect(at(LOOK_WITHIN_MS + MINUTE_MS).change).toMatchObject({ atMs: ahead(15 * MINUTE_MS) });
  });

  for (const seen of [
    { saw: "trouble" },
    { saw: "refusal" },
    { saw: "no_access" },
    { saw: "hold", untilMs: ahead(HOUR_MS) },
  ] as const) {
    test(`an end that Strava cannot be asked about (${seen.saw}) is withdrawn after 48 hours, and not a moment before`, () => {
      const at = (ageMs: number, isHeld = true) =>
        judgeLook(seen, look({ end: { receivedAtMs: ago(ageMs), misses: 0 }, isHeld }));
      expect(at(0)).toMatchObject({ race: "leave", end: { becomes: "due_again" } });
      expect(at(LOOK_WITHIN_MS - 1)).toMatchObject({ race: "leave", end: { becomes: "due_again", atMs: ahead(1) } });
      expect(at(LOOK_WITHIN_MS)).toMatchObject({ race: "withdraw", end: settled("withdrawn") });
      expect(at(LOOK_WITHIN_MS, false)).toMatchObject({ race: "leave", end: settled("nothing_held") });
    });
  }

  test("a change that Strava will not answer, or lets nobody in for, is settled; the end beside it is not", () => {
    for (const [saw, outcome] of [
      ["refusal", "refused"],
      ["no_access", "needs_reconnect"],
    ] as const) {
      expect(judgeLook({ saw }, look({ end: fresh, change: fresh }))).toMatchObject({
        race: "leave",
        end: { becomes: "due_again" },
        change: settled(outcome),
      });
    }
  });

  test("a hold puts it off to its end, and costs nothing", () => {
    const seen = { saw: "hold", untilMs: ahead(10 * MINUTE_MS) } as const;
    expect(judgeLook(seen, look({ change: { receivedAtMs: ago(HOUR_MS), misses: 1 } })).change).toMatchObject({
      atMs: ahead(10 * MINUTE_MS),
      misses: 1,
    });
    // One that is over already is no reason to run in circles.
    expect(judgeLook({ saw: "hold", untilMs: ago(1) }, look({ change: fresh })).change).toMatchObject({
      atMs: ahead(SECOND_MS),
    });
  });
});

test("whether access is gone is asked again after trouble as an activity is, and after a hold when that ends", () => {
  const notice = { receivedAtMs: ago(MINUTE_MS), misses: 0 };
  const look = { nowMs: NOW, jitter: 0.5 };
  expect(againForGrant(notice, look, undefined)).toMatchObject({ becomes: "due_again", atMs: ahead(MINUTE_MS) });
  expect(againForGrant(notice, look, ahead(HOUR_MS))).toMatchObject({
    atMs: ahead(HOUR_MS),
    givenUpUntilMs: ago(LOOK_WITHIN_MS),
  });
});

test("a look is tried for 48 hours, and a deadline that is now, or has passed, puts nothing off", () => {
  expect(LOOK_WITHIN_MS).toBe(48 * HOUR_MS);
  const soonestIn = (deadlineMs: number) => soonest(NOW, 1_000, plusMs(NOW, deadlineMs)) - NOW;
  expect([-1, 0, 1, 999, 1_000, 1_001].map(soonestIn)).toEqual([1_000, 1_000, 1, 999, 1_000, 1_000]);
});

test("where Strava answers nothing of use, what nobody told of is not settled either", () => {
  const end: Notice = { receivedAtMs: NOW, misses: 0 };
  const answers: readonly Seen[] = [
    { saw: "nothing" },
    { saw: "refusal" },
    { saw: "no_access" },
    { saw: "trouble" },
    { saw: "hold", untilMs: ahead(1) },
  ];
  for (const seen of answers)
    expect(judgeLook(seen, { nowMs: NOW, jitter: 0.5, isHeld: true, end, change: undefined }).change).toBeUndefined();
});
