import { expect, test } from "bun:test";
import type { Subscription } from "../../src/core/strava-event.ts";
import { judgeSubscription, planSubscription } from "../../src/core/subscription.ts";

const PREFIX = "https://club.example/webhooks/strava/";
const OURS = { callbackUrl: `${PREFIX}secret`, callbackPrefix: PREFIX, knownId: 7 };
const one = (id: number, callbackUrl: string): Subscription => ({ id, callbackUrl, createdAtMs: null });

test.each([
  ["none is there: create one", [], { step: "create" }],
  [
    "ours is there, whatever its id",
    [one(9, OURS.callbackUrl)],
    { step: "keep", subscription: one(9, OURS.callbackUrl) },
  ],
  ["ours by its id, at an address that was ours", [one(7, "https://old.example/x")], { step: "replace", id: 7 }],
  ["ours by its address, with a secret that is lost", [one(9, `${PREFIX}other`)], { step: "replace", id: 9 }],
  [
    "somebody else's",
    [one(9, "https://club.example/other")],
    { step: "taken", subscription: one(9, "https://club.example/other") },
  ],
  [
    "ours beside another, were Strava to allow two",
    [one(9, "https://x.example/"), one(8, OURS.callbackUrl)],
    { step: "keep", subscription: one(8, OURS.callbackUrl) },
  ],
] as const)("%s", (_what, listed, step) => {
  expect(planSubscription(listed, OURS)).toEqual(step);
});

test("without a known id, nothing that lies elsewhere is ours", () => {
  const elsewhere = one(7, "https://old.example/x");
  expect(planSubscription([elsewhere], { ...OURS, knownId: undefined })).toEqual({
    step: "taken",
    subscription: elsewhere,
  });
});

test("whose an event is goes by its subscription: ours now or formerly, else foreign, and unknown while none is known", () => {
  const judge = (id: number, currentId: number | undefined, ...formerIds: number[]) =>
    judgeSubscription(id, { currentId, formerIds });
  expect([judge(7, 7), judge(7, 8, 6, 7), judge(7, undefined, 7)]).toEqual(["ours", "ours", "ours"]);
  expect([judge(7, 8), judge(7, 8, 6)]).toEqual(["foreign", "foreign"]);
  expect([judge(7, undefined), judge(7, undefined, 6)]).toEqual(["unknown", "unknown"]);
});

test("of two that are ours the first is kept, and of two that were ours the first is replaced", () => {
  const ours = [one(8, OURS.callbackUrl), one(9, OURS.callbackUrl)];
  expect(planSubscription(ours, OURS)).toEqual({ step: "keep", subscription: one(8, OURS.callbackUrl) });
  expect(planSubscription([one(8, `${PREFIX}x`), one(9, `${PREFIX}y`)], OURS)).toEqual({ step: "replace", id: 8 });
});
