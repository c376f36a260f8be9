/** The line before requests in flight, alone. */
import { expect, test } from "bun:test";
import { athleteId, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { type Asker, createPlaces, type Taken } from "../../../src/sync/requests/places.ts";
import { START_MS } from "../../support/engine.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ASKER: Asker = { athleteId: athleteId(1), phase: "discovery", syncClass: "manual", item: "list" };
const NEVER = new AbortController().signal;

/** A line in which nobody is let out until something is done about it. */
function stuckLine(count: number) {
  const clock = new FakeClock(START_MS);
  const seen = { isStuck: true, times: 0 };
  const places = createPlaces({
    clock,
    count,
    admit: () => (seen.isStuck ? "not_yet" : "yes"),
    onTaken: () => {},
    mayOvertake: () => false,
    isLast: () => false,
    onStuck: () => {
      seen.times++;
      seen.isStuck = false;
      places.serve();
    },
  });
  const takes: Taken["got"][] = [];
  const take = (isMetered = true) => void places.take(ASKER, isMetered, NEVER).then(({ got }) => takes.push(got));
  return { clock, seen, places, takes, take };
}

test("who is not let out for two minutes, though nothing is in flight and nothing holds anybody, is stuck, and is let out", async () => {
  const { clock, seen, takes, take } = stuckLine(4);
  take();
  take();
  await clock.advance(2 * MINUTE_MS - 1);
  expect([seen.times, takes]).toEqual([0, []]);
  await clock.advance(1);
  expect([seen.times, takes]).toEqual([1, ["place", "place"]]);
});

test("while something is in flight it is a queue: who waits for too long stands in line again", async () => {
  const { clock, seen, takes, take } = stuckLine(1);
  take(false);
  take();
  await clock.advance(2 * MINUTE_MS);
  expect([seen.times, takes]).toEqual([0, ["place", "crowded_out"]]);
});

test("who could have gone, had anybody looked, was not stuck", async () => {
  const { clock, seen, takes, take } = stuckLine(1);
  take();
  await clock.advance(SECOND_MS);
  seen.isStuck = false;
  await clock.advance(2 * MINUTE_MS);
  expect([seen.times, takes]).toEqual([0, ["place"]]);
});

test("who waits since a moment to come, after the clock was set back, stands in line again all the same", async () => {
  const { clock, takes, take } = stuckLine(1);
  take(false);
  take();
  clock.setBack(6 * HOUR_MS);
  await clock.advance(2 * MINUTE_MS);
  expect(takes).toEqual(["place", "crowded_out"]);
});
