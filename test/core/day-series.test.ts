import { expect, test } from "bun:test";
import fc from "fast-check";
import { packDays, unpackDays } from "../../src/core/day-series.ts";

test("days in a row are one run, days with nothing are left out, whatever order they come in", () => {
  const days = new Map([
    [200, 1],
    [121, 1],
    [120, 3],
    [122, 0],
    [123, 41],
    [0, 7],
  ]);
  expect(packDays(days)).toBe("0:7 120:3,1 123:41 200:1");
  expect(packDays(new Map())).toBe("");
});

test("what is packed is read back, but for days with nothing", () => {
  const day = fc.integer({ min: 0, max: 365 });
  const value = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 10 }), fc.nat({ max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(fc.array(fc.tuple(day, value), { maxLength: 400 }), (pairs) => {
      const days = new Map(pairs);
      expect(unpackDays(packDays(days))).toEqual(new Map([...days].filter(([, count]) => count > 0)));
    }),
  );
});

test("what a hand left between the runs counts as nothing", () => {
  expect(unpackDays("x 3:4 5 6: 7:8,,9 -1:2 10:1,2x 11:5 :7 12:1")).toEqual(
    new Map([
      [3, 4],
      [11, 5],
      [12, 1],
    ]),
  );
  expect(unpackDays("null")).toEqual(new Map());
});

test("a run goes on from the one before it, however many there were", () => {
  const days = [0, 5, 6, 10, 11, 12, 20].map((day): [number, number] => [day, day + 1]);
  expect(packDays(new Map(days))).toBe("0:1 5:6,7 10:11,12,13 20:21");
});
