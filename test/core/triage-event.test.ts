import { describe, expect, test } from "bun:test";
import { LOOK_WITHIN_MS } from "../../src/core/look.ts";
import { type EventFacts, triageEvent } from "../../src/core/triage-event.ts";
import { epochMs, MINUTE_MS, plusMs } from "../../src/core/units.ts";
import { anEvent } from "../support/builders.ts";

const NOW = epochMs(1_763_334_772_370);
const ago = (ms: number) => plusMs(NOW, -ms);
const ahead = (ms: number) => plusMs(NOW, ms);

const facts = (changes: Partial<EventFacts> = {}): EventFacts => ({
  nowMs: NOW,
  receivedAtMs: NOW,
  subscription: "ours",
  owner: "connected",
  isHeld: false,
  ...changes,
});

describe("before anybody asks Strava", () => {
  const deletion = anEvent({ aspect: "delete" });
  const deauthorization = anEvent({ objectType: "athlete", isDeauthorized: true });

  test.each([
    ["a created activity of somebody connected is looked at", anEvent({ aspect: "create" }), {}, { to: "look" }],
    ["so is an updated one, held or not", anEvent(), { isHeld: true }, { to: "look" }],
    ["a deleted one that we hold is looked at too", deletion, { isHeld: true }, { to: "look" }],
    ["one that we do not hold is not", deletion, {}, { to: "settle", outcome: "nothing_held" }],
    ["of an athlete whom we do not know nothing is asked", anEvent(), { owner: "unknown" }, { to: "forget" }],
    [
      "nor of one who has to connect again",
      anEvent(),
      { owner: "not_connected" },
      { to: "settle", outcome: "not_connected" },
    ],
    ["access that is said to be gone is verified", deauthorization, {}, { to: "verify" }],
    ["also where it was found gone before", deauthorization, { owner: "not_connected" }, { to: "verify" }],
    ["but not of somebody whom we do not know", deauthorization, { owner: "unknown" }, { to: "forget" }],
    [
      "anything else about an athlete is no matter of ours",
      anEvent({ objectType: "athlete" }),
      {},
      { to: "settle", outcome: "no_matter" },
    ],
    [
      "an event of another subscription is foreign",
      anEvent(),
      { subscription: "foreign" },
      { to: "settle", outcome: "foreign_subscription" },
    ],
    [
      "whatever it is about",
      deauthorization,
      { subscription: "foreign" },
      { to: "settle", outcome: "foreign_subscription" },
    ],
  ] as const)("%s", (_what, event, given, triage) => {
    expect(triageEvent(event, facts(given))).toEqual(triage);
  });

  test("while no subscription is known, an event waits for it to become ours, past the next turn of the job that looks", () => {
    const unknown = { subscription: "unknown" } as const;
    const waitMs = 65 * MINUTE_MS;
    const judged = { to: "wait", untilMs: ahead(waitMs) } as const;
    expect(triageEvent(anEvent(), facts(unknown))).toEqual(judged);
    expect(triageEvent(anEvent(), facts({ ...unknown, receivedAtMs: ago(waitMs - 1) }))).toEqual({
      to: "wait",
      untilMs: ahead(1),
    });
    expect(triageEvent(anEvent(), facts({ ...unknown, receivedAtMs: ago(waitMs) }))).toEqual({
      to: "settle",
      outcome: "foreign_subscription",
    });
  });

  test("the end of a race whose athlete has to connect again is not forgotten: it is withdrawn after 48 hours", () => {
    const held = { owner: "not_connected", isHeld: true } as const;
    expect(triageEvent(deletion, facts(held))).toEqual({ to: "wait", untilMs: ahead(15 * MINUTE_MS) });
    expect(triageEvent(deletion, facts({ ...held, receivedAtMs: ago(LOOK_WITHIN_MS - MINUTE_MS) }))).toEqual({
      to: "wait",
      untilMs: ahead(MINUTE_MS),
    });
    expect(triageEvent(deletion, facts({ ...held, receivedAtMs: ago(LOOK_WITHIN_MS - 1) })).to).toBe("wait");
    expect(triageEvent(deletion, facts({ ...held, receivedAtMs: ago(LOOK_WITHIN_MS) }))).toEqual({ to: "withdraw" });
  });
});
