import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";
import { openDataDirectory } from "../../src/db/data-directory.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = createTestWorld();
});
afterEach(() => world.discard());

const told = () => world.errors.join("\n");

describe("what can be asked for", () => {
  test("an unknown command is wrong usage, and the nearest one is named", async () => {
    expect(await world.run("stauts")).toBe(2);
    expect(told()).toContain('There is no command "stauts". Did you mean "status"?');
  });

  test("an unknown word after a group is wrong usage, and the nearest one is named", async () => {
    expect(await world.run("health", "chek")).toBe(2);
    expect(told()).toContain('Did you mean "check"?');
    expect(await world.run("token")).toBe(2);
    expect(told()).toContain("token create");
  });

  test("commands of later releases do not exist yet", async () => {
    for (const name of ["incident", "alert", "doctor", "backup", "restore"]) {
      expect(await world.run(name)).toBe(2);
    }
  });

  test("an unknown flag is wrong usage, whatever else is wrong with the configuration", async () => {
    expect(await world.run("serve", "--prot", "1", "--lease", "x")).toBe(2);
    expect(told()).toContain("Did you mean --port?");
    expect(await world.run("--prot=1")).toBe(2);
  });

  test("each command has a help, asked for before or after its name", async () => {
    for (const { name } of COMMANDS) {
      expect(await world.run(...name.split(" "), "--help")).toBe(0);
      expect(await world.run("help", ...name.split(" "))).toBe(0);
    }
    expect(world.lines.filter((line) => line.startsWith("Usage: broomwagon token revoke token-id"))).toHaveLength(2);
    expect(world.errors).toEqual([]);
  });

  test("the help of the program and of a group name their commands", async () => {
    for (const args of [["help"], ["--help"], ["-h"], ["help", "health"], ["health", "--help"]]) {
      world.lines.length = 0;
      expect(await world.run(...args)).toBe(0);
      expect(world.lines.join("\n")).toContain("health findings");
    }
    expect(await world.run("help", "nothing")).toBe(2);
  });

  test("the version is that of the package", async () => {
    expect(await world.run("version")).toBe(0);
    expect(await world.run("--version")).toBe(0);
    expect(world.lines[0]).toStartWith("broomwagon 1.2.3");
  });
});

describe("a configuration that is wrong", () => {
  test("ends each command that reads it with 78, every problem listed at once", async () => {
    expect(await world.run("config", "--port", "x", "--lease", "1")).toBe(78);
    expect(told()).toContain("BROOMWAGON_PORT = x (flag --port)");
    expect(told()).toContain("BROOMWAGON_LEASE = 1 (flag --lease)");
    for (const command of [["serve"], ["status"], ["sync", "1"], ["health", "check"], ["migrate"], ["token", "list"]]) {
      expect(await world.run(...command, "--port", "x")).toBe(78);
    }
  });

  test("ends it with 78 when the file is torn", async () => {
    writeFileSync(join(world.directory, "broomwagon.toml"), 'port = "87');
    expect(await world.run("serve")).toBe(78);
    expect(told()).toContain("broomwagon.toml");
  });

  test("config prints each value with its origin, and no secret", async () => {
    expect(await world.run("config", "--admin-token", "a-very-secret-token")).toBe(0);
    const lines = world.lines.join("\n");
    expect(lines).toContain("flag --admin-token");
    expect(lines).toContain("********");
    expect(lines).not.toContain("a-very-secret-token");
  });
});

describe("what keeps a command from its work ends it with 1", () => {
  test("no daemon on the data directory, for each command that asks one", async () => {
    for (const command of [["sync", "1"], ["sync", "--all"], ["status"], ["health", "check"], ["health", "findings"]]) {
      expect(await world.run(...command)).toBe(1);
    }
    expect(told()).toContain('Start one with "broomwagon serve"');
  });

  test("a daemon that was killed and left its runtime file", async () => {
    world.pretendDaemon();
    expect(await world.run("status")).toBe(1);
    expect(told()).toContain("process 4711");
  });

  test("a data directory that another process holds", async () => {
    const held = openDataDirectory(world.directory);
    expect(await world.run("migrate")).toBe(1);
    held.release();
    expect(told()).toContain("holds the data directory");
  });

  test("a database of another program, a damaged one, and none at all", async () => {
    const path = join(world.directory, "broomwagon.sqlite");
    expect(await world.run("token", "list")).toBe(1);
    new Database(path, { create: true }).run("CREATE TABLE customers (id INTEGER)");
    expect(await world.run("migrate")).toBe(1);
    expect(await world.run("serve", "--port", "0")).toBe(1);
    expect(told()).toContain("no database of Broomwagon");
    writeFileSync(path, `SQLite format 3\0${"x".repeat(5_000)}`);
    expect(await world.run("migrate")).toBe(1);
    expect(told()).toContain("is damaged");
  });

  test("a data directory that is a file", async () => {
    writeFileSync(join(world.directory, "file"), "");
    expect(await world.run("migrate", "--data-dir", join(world.directory, "file"))).toBe(1);
    expect(told()).toContain("a file stands in its way");
  });

  test("a port that is taken, with nothing left behind", async () => {
    const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    expect(await world.run("serve", "--port", String(taken.port), "--log-level", "error")).toBe(1);
    expect(await world.run("sandbox", "--port", String(taken.port))).toBe(1);
    expect(told()).toContain(`port ${taken.port}`);
    await taken.stop(true);
    openDataDirectory(world.directory).release();
  });

  test("a demo in the directory of a real club", async () => {
    const real = join(world.directory, "club");
    mkdirSync(real);
    writeFileSync(join(real, "broomwagon.sqlite"), "");
    expect(await world.run("demo", "--data-dir", real, "--for", "1")).toBe(1);
    expect(told()).toContain("no demo's");
  });
});
