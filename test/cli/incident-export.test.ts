import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { incidentOf, rawStall } from "../support/incidents.ts";
import { aDaemon } from "./running-daemon.ts";
import { answering, createTestWorld, json, problem, type TestWorld } from "./test-world.ts";

let world: TestWorld;
let path: string;
beforeEach(() => {
  const routes = {
    "GET /api/admin/syncs/7/incident": () => json(rawStall()),
    "GET /api/admin/syncs/8/incident": () => problem(404, "sync_unknown", "There is no sync of that id."),
  };
  world = createTestWorld({ fetch: answering(routes) });
  world.pretendDaemon();
  path = join(world.directory, "incident.json");
});
afterEach(() => world.discard());

const run = (...args: string[]) => world.run("incident", "export", ...args);

describe("incident export", () => {
  test("writes a file that only its owner can read and that can be replayed, and says how", async () => {
    expect(await run("7", path)).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(incidentOf(JSON.parse(readFileSync(path, "utf8")))).toEqual(rawStall());
    expect(world.lines).toEqual([
      `Wrote ${path}: 5 batches, 65 races, 0 findings. Replay it with "broomwagon incident replay ${path}".`,
    ]);
    expect(await world.run("incident", "replay", path)).toBe(0);
  });

  test("leaves a file that is there, unless told to write over it", async () => {
    writeFileSync(path, "mine", { mode: 0o644 });
    expect(await run("7", path)).toBe(1);
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(world.errors.join("\n")).toContain("--force");
    expect(await run("7", path, "--force")).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(rawStall());
  });

  test("a sync that is not there, a folder that is not, and no daemon are told, each with what to do", async () => {
    expect(await run("8", path)).toBe(1);
    expect(await run("8/../7", path)).toBe(1);
    expect(await run("7", join(world.directory, "none", "incident.json"))).toBe(1);
    expect(world.errors[0]).toBe("There is no sync of that id.");
    expect(world.errors.at(-1)).toContain("cannot be written");
    expect(() => statSync(path)).toThrow();
    expect(await run("7")).toBe(2);
    const alone = createTestWorld();
    expect(await alone.run("incident", "export", "7", path)).toBe(1);
    expect(alone.errors.join("\n")).toContain("broomwagon serve");
    alone.discard();
  });
});

test("incident alone wants a further word; its help names both", async () => {
  expect(await world.run("incident")).toBe(2);
  expect(await world.run("incident", "--help")).toBe(0);
  expect(world.lines.join("\n")).toMatch(/incident export SYNC-ID FILE.*incident replay FILE/s);
});

test("a running daemon knows when it started, and has no such sync", async () => {
  const directory = mkdtempSync(join(tmpdir(), "broomwagon-incident-"));
  const daemon = await aDaemon(directory, { env: { STRAVA_CLIENT_ID: "1", STRAVA_CLIENT_SECRET: "2" } });
  try {
    expect((await daemon.get("/api/admin/syncs/1/incident")).body.code).toBe("sync_unknown");
  } finally {
    await daemon.end();
    rmSync(directory, { recursive: true, force: true });
  }
});
