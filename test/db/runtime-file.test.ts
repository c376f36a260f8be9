import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRuntimeFile, writeRuntimeFile } from "../../src/db/runtime-file.ts";

const INFO = { address: "http://127.0.0.1:8720", pid: 4711, token: "token" };

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-runtime-"));
  path = join(directory, "runtime.json");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("what a daemon says of itself is read back, and readable by its owner only", () => {
  writeRuntimeFile(path, INFO);
  expect(readRuntimeFile(path)).toEqual(INFO);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["runtime.json"]);
});

test("a former file and a draft of a process that died are replaced, permissions too", () => {
  writeFileSync(path, "old", { mode: 0o644 });
  writeFileSync(`${path}.new`, "a draft much longer than what comes now".repeat(20), { mode: 0o644 });
  writeRuntimeFile(path, INFO);
  expect(readRuntimeFile(path)).toEqual(INFO);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("no file, a torn one and one that says something else are no daemon", () => {
  expect(readRuntimeFile(path)).toBeUndefined();
  for (const text of ["", '{"address":"http', "null", "[]", '{"address":"x","pid":"4711","token":"t"}']) {
    writeFileSync(path, text);
    expect(readRuntimeFile(path)).toBeUndefined();
  }
});
