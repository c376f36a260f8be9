import { expect, test } from "bun:test";
import { nearestName } from "../../src/core/nearest.ts";

const KNOWN = ["port", "host", "data_dir", "max_attempts", "max_remedies", "stall_after_discovery"];

test.each([
  ["prot", "port"],
  ["PORT", "port"],
  ["ports", "port"],
  ["datadir", "data_dir"],
  ["max_atempt", "max_attempts"],
  ["stall_after_discvery", "stall_after_discovery"],
  ["stall_discovery", "stall_after_discovery"],
])("%p was meant to be %p", (typo, meant) => {
  expect(nearestName(typo, KNOWN)).toBe(meant);
});

test.each(["colour", "", "x", "stall_before_something"])("%p is near to nothing", (name) => {
  expect(nearestName(name, KNOWN)).toBeUndefined();
});

test("of two that are as near, the first is named", () => {
  expect(nearestName("ab", ["ax", "ay"])).toBe("ax");
});
