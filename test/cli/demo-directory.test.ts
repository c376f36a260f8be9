import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeDemoDirectory } from "../../src/cli/demo-directory.ts";

let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), "broomwagon-test-"));
});
afterEach(() => rmSync(temp, { recursive: true, force: true }));

test("each demo gets a new directory, and removes it at the end", () => {
  const first = takeDemoDirectory(undefined, temp);
  const second = takeDemoDirectory(undefined, temp);
  expect(first.path).not.toBe(second.path);
  first.discard();
  expect(existsSync(first.path)).toBe(false);
  expect(existsSync(second.path)).toBe(true);
});

test("a named directory is used as it is, and kept", () => {
  const named = join(temp, "named");
  const taken = takeDemoDirectory(named, temp);
  expect(taken.path).toBe(named);
  taken.discard();
  expect(existsSync(named)).toBe(true);
});

test("a former demo is wiped, and what is not ours stays", () => {
  const named = join(temp, "named");
  takeDemoDirectory(named, temp);
  for (const name of ["broomwagon.sqlite", "broomwagon.sqlite-wal", "broomwagon.key", "daemon.log", "notes.txt"]) {
    writeFileSync(join(named, name), "x");
  }
  takeDemoDirectory(named, temp);
  const left = ["broomwagon.sqlite", "broomwagon.sqlite-wal", "broomwagon.key", "daemon.log", "notes.txt"].filter(
    (name) => existsSync(join(named, name)),
  );
  expect(left).toEqual(["notes.txt"]);
});

test("a real club's database or key is refused, and not a byte of it is touched", () => {
  for (const name of ["broomwagon.sqlite", "broomwagon.key"]) {
    const real = join(temp, name.replace(".", "-"));
    mkdirSync(real);
    writeFileSync(join(real, name), "a club");
    expect(() => takeDemoDirectory(real, temp)).toThrow("no demo's");
    expect(existsSync(join(real, "broomwagon-demo.txt"))).toBe(false);
    expect(existsSync(join(real, name))).toBe(true);
  }
});
