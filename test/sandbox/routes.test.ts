import { expect, test } from "bun:test";
import { seededDice } from "../../src/core/dice.ts";
import { drawRoute, encodePolyline } from "../../src/sandbox/routes.ts";

test("a line is encoded as in the format's own example", () => {
  const example = [
    [38.5, -120.2],
    [40.7, -120.95],
    [43.252, -126.453],
  ] as const;
  expect(encodePolyline(example)).toBe("_p~iF~ps|U_ulLnnqC_mqNvxq`@");
});

test("a route follows from its dice and starts near its place", () => {
  const sydney = { latitude: -33.87, longitude: 151.21 };
  const route = drawRoute(seededDice(1), sydney);
  expect(route).toEqual(drawRoute(seededDice(1), sydney));
  expect(Math.abs((route.start[0] ?? 0) - sydney.latitude)).toBeLessThan(0.1);
  expect(Math.abs((route.start[1] ?? 0) - sydney.longitude)).toBeLessThan(0.1);
});
