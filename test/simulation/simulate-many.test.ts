import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fingerprintSources } from "../../scripts/simulate-many-sources.ts";

/** A checkout with one source of each kind. @returns its fingerprint with these. */
function fingerprintOf(files: Readonly<Record<string, string>>): string {
  const top = mkdtempSync(join(tmpdir(), "broomwagon-sources-"));
  try {
    for (const folder of ["src/core", "drizzle"]) mkdirSync(join(top, folder), { recursive: true });
    for (const [path, text] of Object.entries(files)) writeFileSync(join(top, path), text);
    return fingerprintSources(top);
  } finally {
    rmSync(top, { recursive: true });
  }
}

const FILES = { "src/main.ts": "a", "src/core/batch.ts": "b", "drizzle/0000.sql": "c", "bun.lock": "d" };

test("what was simulated counts for the very same sources only", () => {
  const fingerprint = fingerprintOf(FILES);
  expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
  expect(fingerprintOf(FILES)).toBe(fingerprint);
  const others = Object.keys(FILES).map((path) => fingerprintOf({ ...FILES, [path]: "other" }));
  const more = fingerprintOf({ ...FILES, "src/core/new.ts": "" });
  expect(new Set([fingerprint, ...others, more]).size).toBe(2 + Object.keys(FILES).length);
  // What is beside the sources changes nothing.
  expect(fingerprintOf({ ...FILES, "README.md": "e" })).toBe(fingerprint);
});

test("a folder that holds no checkout has none", () => {
  expect(() => fingerprintOf({ "bun.lock": "d" })).toThrow("There is no src/**/*.ts");
});
