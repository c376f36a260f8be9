import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rawStall, STALL_PATH } from "../support/incidents.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = createTestWorld();
});
afterEach(() => world.discard());

const replay = (...args: string[]) => world.run("incident", "replay", ...args);
const told = () => world.lines.join("\n");
const complained = () => world.errors.join("\n");

/** A file with that in it; its path. */
function file(content: string): string {
  const path = join(world.directory, "incident.json");
  writeFileSync(path, content);
  return path;
}

describe("incident replay", () => {
  test("tells what each check finds, by which evidence, what it would have done, and what happened instead", async () => {
    expect(await replay(STALL_PATH)).toBe(0);
    expect(told()).toContain("a check every 1m: 90 checks from 2025-11-16 23:12:52 UTC to 2025-11-17 00:41:53 UTC");
    expect(world.lines.slice(5, 11)).toEqual([
      "2025-11-16 23:14:00 UTC  missing_enrichment_batches",
      "  20 races need enrichment and no live batch will take them (3 of 3 batches completed, 0 live).",
      expect.stringMatching(/^ {2}Evidence: .*races_unserved 20.*completed_batches 3.*batches_to_create 2/),
      "  Not just waiting: No live batch will do this, so no time that passes can move it.",
      "  Would have done: plan again: create what is missing, or complete the sync (2 batches)",
      "  Found by 80 checks in a row, until 2025-11-17 00:33:00 UTC; gone 2025-11-17 00:34:00 UTC.",
    ]);
    expect(told()).toContain("first found 2025-11-16 23:14:00 UTC, 7 s after it began (2025-11-16 23:13:53 UTC)");
    expect(told()).toContain(
      "it lasted 1 h 20 min, until 2025-11-17 00:34:00 UTC; the sync was completed 7 min 53 s later",
    );
    expect(told()).toContain("No check of the time found anything.");
  });

  test("says what the file cannot tell: what the file itself says, and what no file can", async () => {
    await replay(STALL_PATH);
    const gaps = world.lines.slice(world.lines.indexOf("What the file cannot tell:") + 1);
    expect(gaps).toHaveLength(rawStall().gaps.length + 2);
    expect(gaps.join("\n")).toContain("written by hand");
    expect(gaps.join("\n")).toContain("What would have followed from another remedy");
  });

  test("gives the same for the same file, wherever the machine is", async () => {
    await replay(STALL_PATH);
    const first = told();
    world.discard();
    world = createTestWorld();
    await world.run("incident", "replay", STALL_PATH);
    expect(told()).toBe(first);
  });

  test("thresholds, mode and rhythm can be others, and both are told", async () => {
    const flags = [
      "--stall-after-discovery",
      "5m",
      "--stall-after-enrichment=2m",
      "--healing",
      "suggest",
      "--every",
      "5m",
    ];
    expect(await replay(STALL_PATH, ...flags)).toBe(0);
    expect(told()).toContain("a stall after 5m (it was 10m) in discovery and 2m (it was 10m) in enrichment");
    expect(told()).toContain("healing suggest (it was automatic)");
    expect(told()).toContain("a check every 5m (it was 1m): 19 checks");
    expect(told()).toContain("2025-11-16 23:15:00 UTC  missing_enrichment_batches");
    expect(told()).toContain("Would have proposed: plan again");
  });

  test("--json gives the same as data", async () => {
    expect(await replay(STALL_PATH, "--json")).toBe(0);
    expect(JSON.parse(told())).toMatchObject({
      checks: 90,
      healing: "automatic",
      every_ms: 60_000,
      findings: [
        {
          kind: "missing_enrichment_batches",
          found_at: Date.UTC(2025, 10, 16, 23, 14),
          time_to_detect_ms: 7_000,
          checks: 80,
          would: "apply",
          evidence: { batches_to_create: 2, why_not_waiting: expect.stringContaining("No live batch") },
        },
      ],
      found_then: [],
    });
  });

  test("a file that is not there, not JSON or no incident ends with 1 and every problem", async () => {
    expect(await replay(join(world.directory, "none.json"))).toBe(1);
    expect(await replay(file("{torn"))).toBe(1);
    expect(complained()).toContain("There is no file");
    expect(complained()).toContain("is not JSON");
    const raw = rawStall();
    raw.sync.mode = "half";
    raw.config.lease_ms = -1;
    world.errors.length = 0;
    expect(await replay(file(JSON.stringify(raw)))).toBe(1);
    expect(world.errors).toEqual([
      `${join(world.directory, "incident.json")} cannot be replayed:`,
      "  config.lease_ms: expected a whole number of 1 or more, found -1",
      '  sync.mode: expected "full" or "incremental", found "half"',
    ]);
  });

  test("flags that make no sense are wrong usage, all told at once", async () => {
    expect(await replay(STALL_PATH, "--every", "0s", "--stall-after-discovery", "soon", "--healing", "maybe")).toBe(2);
    expect(world.errors).toHaveLength(3);
    world.errors.length = 0;
    expect(await replay(STALL_PATH, "--every", "1ms")).toBe(2);
    expect(complained()).toContain("--every");
    expect(await replay()).toBe(2);
  });
});

describe("incident replay --test", () => {
  const checkout = join(import.meta.dir, "../..");
  let folder: string;
  beforeEach(() => {
    // In the checkout, and where no run of all tests looks for one.
    folder = join(checkout, "dist", `replay-test-${process.pid}`);
    mkdirSync(folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a test file as a person would, from the checkout; its exit code. */
  const runTest = (path: string) =>
    Bun.spawn([process.execPath, "test", path], { cwd: checkout, stdout: "ignore", stderr: "ignore" }).exited;

  test("writes a test that passes as long as the replay finds the same, and fails when it does not", async () => {
    const path = join(folder, "stall.test.ts");
    const incident = join(folder, "stall.json");
    writeFileSync(incident, JSON.stringify(rawStall()));
    expect(await replay(incident, "--test", path)).toBe(0);
    expect(complained()).toBe(`Wrote ${path}.`);
    expect(await runTest(path)).toBe(0);
    // In another history the last 20 come to light a minute later: what was found at 23:14 is found at 23:15.
    const raw = rawStall();
    for (const race of raw.races.slice(45)) race.pending_at += 60_000;
    writeFileSync(incident, JSON.stringify(raw));
    expect(await runTest(path)).not.toBe(0);
  });

  test("the shipped incident's test is the one that this program writes", async () => {
    const path = join(checkout, "test/incidents", "2025-11-17-enrichment-stall.test.ts");
    const again = join(checkout, "test/incidents", `again-${process.pid}.tmp`);
    try {
      expect(await replay(STALL_PATH, "--test", again)).toBe(0);
      expect(readFileSync(again, "utf8")).toBe(readFileSync(path, "utf8"));
      expect(statSync(again).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(again, { force: true });
    }
  });

  test("leaves a file that is there, unless told to replace it, and wants to be in a checkout", async () => {
    const path = join(folder, "stall.test.ts");
    writeFileSync(path, "mine");
    expect(await replay(STALL_PATH, "--test", path)).toBe(1);
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(await replay(STALL_PATH, "--test", path, "--force")).toBe(0);
    expect(readFileSync(path, "utf8")).toContain("missing_enrichment_batches");
    const outside = join(world.directory, "stall.test.ts");
    expect(await replay(STALL_PATH, "--test", outside)).toBe(1);
    expect(existsSync(outside)).toBe(false);
    expect(complained()).toContain("in no checkout of Broomwagon");
  });
});
