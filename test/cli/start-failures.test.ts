import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importBody } from "../../src/cli/sandbox-introduction.ts";
import { systemClock } from "../../src/clock.ts";
import { createSandbox } from "../../src/sandbox/sandbox.ts";
import { aDaemon } from "./running-daemon.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";

/** A club's data directory as a daemon left it: its schema, its key, an athlete with sealed tokens. Copied for each test. */
let club: string;
let world: TestWorld;

beforeAll(async () => {
  club = mkdtempSync(join(tmpdir(), "broomwagon-club-"));
  const daemon = await aDaemon(club);
  const [athlete] = createSandbox({ clock: systemClock, seed: 3, club: { athletes: 1 } }).athletes();
  if (athlete === undefined) throw new Error("The sandbox has no athlete");
  expect((await daemon.post("/api/admin/athletes", importBody(athlete))).status).toBe(201);
  expect(await daemon.end()).toBe(0);
});
afterAll(() => rmSync(club, { recursive: true, force: true }));

beforeEach(() => {
  world = createTestWorld({ clock: systemClock });
  cpSync(club, world.directory, { recursive: true });
});
afterEach(() => world.discard());

const inDirectory = (name: string): string => join(world.directory, name);
const database = () => inDirectory("broomwagon.sqlite");

/** Every row of every table. */
function dump(path = database()): Record<string, unknown[]> {
  const client = new Database(path, { readonly: true });
  try {
    const tables = client.query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    return Object.fromEntries(tables.map(({ name }) => [name, client.query(`SELECT * FROM "${name}"`).all()]));
  } finally {
    client.close();
  }
}

function change(sql: string): void {
  const client = new Database(database(), { readwrite: true });
  client.run(sql);
  client.close();
}

/** Starts the daemon; it must refuse, in one message that holds each of `words`. Leaves no trace of having run. */
async function refusal(options: { exitCode?: number; args?: string[]; words: string[] }): Promise<void> {
  const { exitCode = 1, args = [], words } = options;
  world.errors.length = 0;
  expect(await world.run("serve", "--port", "0", ...args)).toBe(exitCode);
  const said = world.errors.join("\n");
  for (const word of words) expect(said).toContain(word);
  expect(said).not.toContain("    at ");
  expect(existsSync(inDirectory("runtime.json"))).toBe(false);
}

/** The cure has worked: a daemon starts, and the club is all there. */
async function startsAgain(...args: string[]): Promise<void> {
  const daemon = await aDaemon(world.directory, { args });
  expect(await daemon.get("/api/admin/athletes")).toMatchObject({ body: { items: [{ status: "connected" }] } });
  expect(await daemon.end()).toBe(0);
}

describe("a start that cannot be says why and what to do, exits as documented, and loses no row:", () => {
  test("a second daemon on the directory; the first one does not notice", async () => {
    const first = await aDaemon(world.directory);
    const before = dump();
    expect(await world.run("serve", "--port", "0")).toBe(1);
    expect(world.errors.join("\n")).toContain(`Another Broomwagon (process ${process.pid}) holds the data directory`);
    expect(world.errors.join("\n")).toContain("Stop it first");
    expect(dump()).toEqual(before);
    expect((await first.get("/readyz")).status).toBe(200);
    expect(await first.end()).toBe(0);
  });

  test("a file where the directory should be", async () => {
    writeFileSync(inDirectory("file"), "mine");
    const words = ["Nothing can be written in the data directory", "file stands in its way", "BROOMWAGON_DATA_DIR"];
    await refusal({ args: ["--data-dir", inDirectory("file")], words });
    expect(readFileSync(inDirectory("file"), "utf8")).toBe("mine");
  });

  test("a damaged database", async () => {
    const bytes = readFileSync(database());
    bytes.fill(0xa5, 4_096, 12_288);
    writeFileSync(database(), bytes);
    await refusal({ words: ["is damaged", "Nothing was changed", "Keep a copy"] });
    expect(readFileSync(database()).equals(bytes)).toBe(true);
    cpSync(join(club, "broomwagon.sqlite"), database());
    await startsAgain();
  });

  test("a database that was cut short", async () => {
    truncateSync(database(), 10_000);
    const bytes = readFileSync(database());
    await refusal({ words: ["is damaged", "Nothing was changed", "Keep a copy"] });
    expect(readFileSync(database()).equals(bytes)).toBe(true);
  });

  test("another program's database, and no database at all", async () => {
    rmSync(database());
    const foreign = new Database(database());
    foreign.run("CREATE TABLE recipes (name TEXT)");
    foreign.run("INSERT INTO recipes VALUES ('soup')");
    foreign.close();
    await refusal({ words: ["no database of Broomwagon", "recipes", "Move it away"] });
    expect(dump()).toEqual({ recipes: [{ name: "soup" }] });
    writeFileSync(database(), "a letter, not a database, and a long one at that");
    await refusal({ words: ["no SQLite database", "Move it away"] });
    expect(readFileSync(database(), "utf8")).toStartWith("a letter");
  });

  test("another key: configured, or in the key file's place, or the key file gone", async () => {
    const before = dump();
    const key = readFileSync(inDirectory("broomwagon.key"), "utf8");
    const cure = ["Nothing was changed", "BROOMWAGON_SECRET_KEY"];
    await refusal({
      args: ["--secret-key", "another passphrase altogether"],
      words: ["were sealed with the key", ...cure],
    });

    writeFileSync(inDirectory("broomwagon.key"), `${Buffer.alloc(32, 1).toString("base64")}\n`);
    await refusal({ words: ["were sealed with the key", "broomwagon.key", ...cure] });

    writeFileSync(inDirectory("broomwagon.key"), "torn");
    await refusal({ words: ["does not hold a key", ...cure] });

    rmSync(inDirectory("broomwagon.key"));
    await refusal({ words: ["broomwagon.key is missing", "backup", ...cure] });
    expect(existsSync(inDirectory("broomwagon.key"))).toBe(false);

    await refusal({
      exitCode: 78,
      args: ["--secret-key", "short"],
      words: ["BROOMWAGON_SECRET_KEY", "passphrase of at least 16 characters"],
    });
    expect(dump()).toEqual(before);
    // The key can be given back in either way.
    await startsAgain("--secret-key", key.trim());
    writeFileSync(inDirectory("broomwagon.key"), key, { mode: 0o600 });
    await startsAgain();
  });

  test("a newer schema, and one that was altered", async () => {
    change("INSERT INTO migrations VALUES ('9999_from_the_future', 'x', 1, '9.8.7')");
    const before = dump();
    await refusal({ words: ["9999_from_the_future", "Run version 9.8.7 or later", "Nothing was changed"] });
    expect(dump()).toEqual(before);
    change("DELETE FROM migrations WHERE name LIKE '9999%'");
    change("UPDATE migrations SET checksum = 'edited ' || checksum");
    await refusal({ words: ["its text has changed", "Run an unaltered release"] });
    change("UPDATE migrations SET checksum = substr(checksum, 8)");
    await startsAgain();
    expect(readdirSync(world.directory).filter((name) => name.includes("before"))).toEqual([]);
  });

  test("a port that is taken; the directory is free again", async () => {
    const before = dump();
    // One that would share its port with whoever asks to share it.
    const reply = () => new Response("mine");
    const neighbour = Bun.serve({ port: 0, hostname: "127.0.0.1", reusePort: true, fetch: reply });
    await refusal({
      args: ["--port", String(neighbour.port)],
      words: [`cannot listen on 127.0.0.1 port ${neighbour.port}`, "End what uses the port", "BROOMWAGON_PORT"],
    });
    expect(await (await fetch(neighbour.url)).text()).toBe("mine");
    await neighbour.stop(true);
    expect(dump()).toEqual(before);
    await startsAgain();
  });

  test("a bad configuration: 78, with every problem at once, whatever source it came from", async () => {
    const before = dump();
    writeFileSync(inDirectory("broomwagon.toml"), 'concurrency = "many"\nprot = 8720\n');
    await refusal({
      exitCode: 78,
      args: ["--lease", "soon", "--timezone", "Mars/Olympus", "--strava-client-id", "1"],
      words: [
        "5 problems",
        "BROOMWAGON_CONCURRENCY = many (concurrency in ",
        "Did you mean port?",
        "BROOMWAGON_LEASE = soon (flag --lease): expected",
        "BROOMWAGON_TIMEZONE = Mars/Olympus",
        "STRAVA_CLIENT_SECRET",
      ],
    });
    writeFileSync(inDirectory("broomwagon.toml"), 'port = "87');
    await refusal({ exitCode: 78, words: [inDirectory("broomwagon.toml"), "TOML"] });
    expect(dump()).toEqual(before);
  });
});

test("without a Strava application the daemon starts, says so, and answers a sync with 409 strava_not_configured", async () => {
  const daemon = await aDaemon(world.directory);
  expect(daemon.world.errors.join("\n")).toContain("until STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET are set");
  expect(daemon.world.lines.some((line) => line.includes('"strava.not_configured"'))).toBe(true);
  const answer = await daemon.post("/api/admin/athletes/1/sync");
  expect(answer).toMatchObject({ status: 409, body: { code: "strava_not_configured" } });
  expect(await daemon.end()).toBe(0);
  expect(dump()).toMatchObject({ syncs: [], athletes: [{ id: 1 }], strava_tokens: [{ athlete_id: 1 }] });
});
