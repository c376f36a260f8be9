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

test.each([
  ["abcdef", "abcdef"], // nothing to change
  ["abXdef", "abcdef"], // one to replace
  ["aXcdYf", "abcdef"], // two
  ["abcde", "abcdef"], // one to add
  ["abcdefXY", "abcdef"], // two to drop
  ["XYabcdef", "abcdef"],
  ["bacdef", "abcdef"], // two that changed places count as two
])("%p is within two letters of %p", (typo, meant) => {
  expect(nearestName(typo, [meant])).toBe(meant);
});

test.each([
  ["aXcYeZ", "abcdef"],
  ["abc", "abcdef"],
  ["abcdefXYZ", "abcdef"],
  ["XYZ", "abc"],
  ["", "abc"],
])("%p is three letters off %p, and that is too far", (typo, name) => {
  expect(nearestName(typo, [name])).toBeUndefined();
});

test("of a long name a third may be wrong, rounded down", () => {
  expect(nearestName("abcdefghXYZW", ["abcdefghijkl"])).toBe("abcdefghijkl");
  expect(nearestName("abcdefgXYZWV", ["abcdefghijkl"])).toBeUndefined();
  expect(nearestName("abcdefghXYZ", ["abcdefghijk"])).toBe("abcdefghijk");
  expect(nearestName("abcdefgWXYZ", ["abcdefghijk"])).toBeUndefined();
});

test("case makes no difference on either side, and of several the nearest is named, wherever it stands", () => {
  expect(nearestName("data_dir", ["DATA_DIR"])).toBe("DATA_DIR");
  expect(nearestName("abcd", ["abXX", "abcX", "aXXd"])).toBe("abcX");
});
