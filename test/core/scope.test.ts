import { expect, test } from "bun:test";
import { combineScopes, WANTED_SCOPE } from "../../src/core/scope.ts";

test.each([
  [["read,activity:read_all"], "read,activity:read_all", "all"],
  [["read activity:read"], "read,activity:read", "shared"],
  [["read,activity:read,activity:read_all"], "read,activity:read,activity:read_all", "all"],
  [["read"], "read", "nothing"],
  [[""], "", "nothing"],
  [["read,activity:write,profile:read_all"], "read,activity:write,profile:read_all", "nothing"],
  [[], "", "unknown"],
  [[undefined, undefined], "", "unknown"],
  [[undefined, "read"], "read", "nothing"],
  [["read,activity:read_all", undefined], "read,activity:read_all", "all"],
] as const)("what one of them tells counts: %p", (told, scope, reads) => {
  expect(combineScopes(told)).toEqual({ scope, reads });
});

test("where both tell, only what both name was granted, and the wider of two words holds the narrower", () => {
  expect(combineScopes(["read,activity:read_all", "read"])).toEqual({ scope: "read", reads: "nothing" });
  expect(combineScopes(["read", "read,activity:read_all"])).toEqual({ scope: "read", reads: "nothing" });
  expect(combineScopes(["read,activity:read_all", "read,activity:read"]).reads).toBe("shared");
  expect(combineScopes(["activity:read_all,read", "read,activity:read_all"])).toEqual({
    scope: "activity:read_all,read",
    reads: "all",
  });
});

test("what is no scope is not kept, however long", () => {
  const junk = `read,<b>,activity:read_all,${"x".repeat(9)}:${"y".repeat(9)}:z,READ,a b\n${"q,".repeat(50)}`;
  expect(combineScopes([junk]).scope).toBe("read,activity:read_all,a,b,q");
  const many = Array.from({ length: 99 }, (_, place) => `a${"b".repeat(place)}`).join(",");
  expect(combineScopes([many]).scope.split(",")).toHaveLength(20);
});

test("what is asked of an athlete is each permission that is used, and whoever grants it all is read whole", () => {
  expect(WANTED_SCOPE).toBe("read,activity:read,activity:read_all");
  expect(combineScopes([WANTED_SCOPE]).reads).toBe("all");
});
