import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  dataDirectoryPaths,
  openDataDirectory,
  SecondDaemonError,
  UnwritableDirectoryError,
} from "../../src/db/data-directory.ts";
import { readRuntimeFile, writeRuntimeFile } from "../../src/db/runtime-file.ts";

const INFO = { address: "http://127.0.0.1:8720", pid: 4711, token: "token" };

let parent: string;
let path: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "broomwagon-data-"));
  path = join(parent, "club", "data");
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** A live process that holds `path`. */
async function holder() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../support/hold-data-directory.ts"), path], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const first = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(first.value)).toBe("held\n");
  return child;
}

function refusalOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("a missing data directory is made, for its owner only, and names its files", () => {
  const directory = openDataDirectory(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(directory).toMatchObject({
    path,
    databasePath: join(path, "broomwagon.sqlite"),
    keyPath: join(path, "broomwagon.key"),
    runtimePath: join(path, "runtime.json"),
  });
  directory.release();
  expect(readdirSync(path)).toEqual(["broomwagon.lock"]);
});

test("the permissions of a directory that was there are left alone", () => {
  mkdirSync(path, { recursive: true, mode: 0o750 });
  const before = statSync(path).mode;
  openDataDirectory(path).release();
  expect(statSync(path).mode).toBe(before);
});

test("naming the files makes nothing", () => {
  dataDirectoryPaths(path);
  expect(existsSync(path)).toBe(false);
});

test("a held directory is refused within the same process too, and free after its release", () => {
  const first = openDataDirectory(path);
  writeRuntimeFile(first.runtimePath, INFO);
  const refusal = refusalOf(() => openDataDirectory(path));
  expect(refusal).toBeInstanceOf(SecondDaemonError);
  expect(refusal).toMatchObject({ code: "second_daemon", exitCode: 1, path, pid: 4711 });
  // Being refused twice has not loosened the lock, nor removed what the holder says of itself.
  expect(refusalOf(() => openDataDirectory(path))).toBeInstanceOf(SecondDaemonError);
  expect(readRuntimeFile(first.runtimePath)).toEqual(INFO);
  first.release();
  openDataDirectory(path).release();
});

test("a holder that has not yet said who it is is refused without a process id", () => {
  const first = openDataDirectory(path);
  expect(refusalOf(() => openDataDirectory(path))).toMatchObject({ pid: undefined });
  first.release();
});

test("releasing removes runtime.json, and releasing again does not take it from the next holder", () => {
  const first = openDataDirectory(path);
  writeRuntimeFile(first.runtimePath, INFO);
  first.release();
  expect(existsSync(first.runtimePath)).toBe(false);
  const second = openDataDirectory(path);
  writeRuntimeFile(second.runtimePath, INFO);
  first.release();
  expect(readRuntimeFile(second.runtimePath)).toEqual(INFO);
  expect(refusalOf(() => openDataDirectory(path))).toBeInstanceOf(SecondDaemonError);
  second.release();
});

test("another live process keeps the directory; killed with -9, it gives it back at once, and what it said is gone", async () => {
  const child = await holder();
  const refusal = refusalOf(() => openDataDirectory(path));
  expect(refusal).toMatchObject({ code: "second_daemon", pid: child.pid });
  expect(refusal).toHaveProperty("message", expect.stringContaining(`process ${child.pid}`));
  expect(refusal).toHaveProperty("message", expect.stringContaining(path));
  child.kill("SIGKILL");
  await child.exited;
  expect(readRuntimeFile(join(path, "runtime.json"))?.pid).toBe(child.pid);
  const directory = openDataDirectory(path);
  expect(existsSync(directory.runtimePath)).toBe(false);
  directory.release();
});

test("a file in the way is an unwritable directory, with the cure", () => {
  writeFileSync(join(parent, "club"), "");
  const refusal = refusalOf(() => openDataDirectory(path));
  expect(refusal).toBeInstanceOf(UnwritableDirectoryError);
  expect(refusal).toMatchObject({ code: "data_dir_unwritable", exitCode: 1, path });
  expect(refusal).toHaveProperty("message", expect.stringContaining("file stands in its way"));
  expect(refusalOf(() => openDataDirectory(join(parent, "club")))).toBeInstanceOf(UnwritableDirectoryError);
});

test.skipIf(process.getuid?.() === 0)("a directory without permission is unwritable, with the cure", () => {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o500);
  expect(refusalOf(() => openDataDirectory(path))).toHaveProperty("message", expect.stringContaining("chown"));
});

test("a lock file that is something else is named", () => {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "broomwagon.lock"), "not a lock at all");
  const refusal = refusalOf(() => openDataDirectory(path));
  expect(refusal).toBeInstanceOf(UnwritableDirectoryError);
  expect(refusal).toHaveProperty("message", expect.stringContaining("broomwagon.lock"));
});
