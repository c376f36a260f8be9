import { describe, expect, test } from "bun:test";
import { parseEvent } from "../../src/strava/wire-webhooks.ts";

const raw = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  aspect_type: "update",
  event_time: 1_763_334_772,
  object_id: 16_195_505_756,
  object_type: "activity",
  owner_id: 26_462_176,
  subscription_id: 120_475,
  updates: { title: "Harbour Ten" },
  ...changes,
});

describe("an event", () => {
  test("is taken as it is, but for what it says that changed", () => {
    expect(parseEvent(raw())).toEqual({
      ok: true,
      value: {
        subscriptionId: 120_475,
        objectType: "activity",
        objectId: 16_195_505_756,
        aspect: "update",
        ownerId: 26_462_176,
        eventTimeSeconds: 1_763_334_772,
        isDeauthorized: false,
        updatesHash: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    });
  });

  test("has a hash of what it says that changed: the same for the same, in whatever order, and none for nothing", () => {
    const hashOf = (updates: unknown) => {
      const parsed = parseEvent(raw({ updates }));
      return parsed.ok ? parsed.value.updatesHash : "no event";
    };
    const edits = [{ title: "a" }, { title: "b" }, { type: "a" }, { title: "a", private: "true" }, { private: "true" }];
    expect(new Set(edits.map(hashOf)).size).toBe(edits.length);
    expect(hashOf({ private: "true", title: "a" })).toBe(hashOf({ title: "a", private: "true" }));
    expect([{}, null, undefined].map(hashOf)).toEqual(["", "", ""]);
  });

  test.each([1, 16_195_505_756, 154_504_250_376_823, Number.MAX_SAFE_INTEGER])("may be about %p", (id) => {
    expect(parseEvent(raw({ object_id: id, owner_id: id }))).toMatchObject({ value: { objectId: id, ownerId: id } });
  });

  test.each([2 ** 53, 1.5, 0, -1, "16195505756", null, undefined, Infinity])(
    "about %p is none: a number that JSON cannot hold exactly would be another activity",
    (id) => {
      expect(parseEvent(raw({ object_id: id })).ok).toBe(false);
      expect(parseEvent(raw({ owner_id: id })).ok).toBe(false);
      expect(parseEvent(raw({ subscription_id: id })).ok).toBe(false);
      expect(parseEvent(raw({ event_time: id })).ok).toBe(false);
    },
  );

  test.each([
    ["object_type", "club"],
    ["object_type", undefined],
    ["aspect_type", "CREATE"],
    ["aspect_type", 1],
    ["updates", "title"],
    ["updates", []],
  ])("with %p %p is none, and the reason does not repeat it", (field, value) => {
    const parsed = parseEvent(raw({ [field]: value }));
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.reason).toStartWith(`${field}: `);
  });

  test.each([[null], [[]], ["x"], [7], [undefined]])("is never %p", (body) => {
    expect(parseEvent(body).ok).toBe(false);
  });
});

describe("access that was taken back", () => {
  test.each([
    [{ authorized: "false" }, true],
    [{ authorized: false }, true],
    [{ authorized: "true" }, false],
    [{ authorized: true }, false],
    [{ authorized: 0 }, false],
    [{}, false],
    [undefined, false],
    [null, false],
  ])("is what updates %p of an athlete say: %p", (updates, isDeauthorized) => {
    const parsed = parseEvent(raw({ object_type: "athlete", object_id: 26_462_176, updates }));
    expect(parsed).toMatchObject({ value: { isDeauthorized } });
  });

  test("is never what an activity's event says", () => {
    expect(parseEvent(raw({ updates: { authorized: "false" } }))).toMatchObject({ value: { isDeauthorized: false } });
  });
});
