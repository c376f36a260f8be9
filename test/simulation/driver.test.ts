import { expect, test } from "bun:test";
import { isBusy } from "../../src/db/busy.ts";
import { readSetting, storeSetting } from "../../src/db/settings.ts";
import { inWriteTransaction } from "../../src/db/transaction.ts";
import { DatabaseFile } from "../../src/simulation/database-file.ts";
import { driverError, ProcessDied } from "../../src/simulation/driver.ts";
import { Edges } from "../../src/simulation/edges.ts";

function setUp() {
  const file = new DatabaseFile();
  const edges = new Edges();
  const holder = { alive: true, isAlive: () => holder.alive };
  return { file, edges, holder, db: file.open(edges, holder) };
}

for (const [edge, kept] of [
  ["begin", undefined],
  ["write", undefined],
  ["commit", undefined],
  ["committed", "yes"],
] as const) {
  test(`a process that dies at ${edge} ${kept === undefined ? "leaves nothing of its transaction" : "has committed"}`, () => {
    const { file, edges, holder, db } = setUp();
    edges.set(edge, 1, () => {
      holder.alive = false;
      throw new ProcessDied();
    });
    expect(() => inWriteTransaction(db, () => storeSetting(db, "paused", "yes"))).toThrow();
    // Whatever it still tries changes nothing.
    expect(() => storeSetting(db, "paused", "after its death")).toThrow();
    file.reopen();
    expect(readSetting(file.open(new Edges(), { isAlive: () => true }), "paused")).toBe(kept);
  });
}

test("a process that dies inside a transaction and catches the news commits nothing", () => {
  const { file, edges, holder, db } = setUp();
  edges.set("write", 2, () => {
    holder.alive = false;
    throw new ProcessDied();
  });
  const work = () => {
    storeSetting(db, "paused", "yes");
    try {
      storeSetting(db, "probed_at_ms", "1");
    } catch {
      // It goes on as if nothing were.
    }
  };
  expect(() => inWriteTransaction(db, work)).toThrow();
  file.reopen();
  expect(readSetting(file.open(new Edges(), { isAlive: () => true }), "paused")).toBeUndefined();
});

test("a database that fails at its commit has kept nothing, and the next try goes through", () => {
  const { edges, db } = setUp();
  edges.set("commit", 1, () => {
    throw driverError("SQLITE_FULL");
  });
  expect(() => inWriteTransaction(db, () => storeSetting(db, "paused", "yes"))).toThrow("full");
  expect(readSetting(db, "paused")).toBeUndefined();
  inWriteTransaction(db, () => storeSetting(db, "paused", "yes"));
  expect(readSetting(db, "paused")).toBe("yes");
});

test("errors are those of the driver: a lock is taken for a lock, a full disk is not", () => {
  expect([isBusy(driverError("SQLITE_BUSY")), isBusy(driverError("SQLITE_FULL"))]).toEqual([true, false]);
  expect(driverError("SQLITE_IOERR")).toMatchObject({ name: "SQLiteError", code: "SQLITE_IOERR", errno: 10 });
});

test("a trap springs at the nth time, once, and takes nobody else's turn", () => {
  const { edges, holder } = setUp();
  const sprung: string[] = [];
  edges.set("timer", 2, () => void sprung.push("second"));
  edges.set("timer", 1, () => void sprung.push("first"));
  edges.set("commit", 1, () => void sprung.push("commit"));
  for (let n = 0; n < 4; n++) edges.pass("timer", holder);
  expect(sprung).toEqual(["first", "second"]);
  expect(edges.count("timer")).toBe(4);
});

test("a statement that changes something passes the edge of writes, also where it returns what it has changed", () => {
  const { edges, db } = setUp();
  const writesOf = (work: () => unknown): number => {
    const before = edges.count("write");
    work();
    return edges.count("write") - before;
  };
  const { $client } = db;
  const insert = "INSERT INTO settings (name, value) VALUES ('a', '1')";
  expect(writesOf(() => $client.query(insert).run())).toBe(1);
  expect(writesOf(() => $client.query("UPDATE settings SET value = '2' RETURNING value").get())).toBe(1);
  expect(
    writesOf(() =>
      $client
        .query("WITH old AS (SELECT 'a' AS k) DELETE FROM settings WHERE name IN (SELECT k FROM old) RETURNING name")
        .all(),
    ),
  ).toBe(1);
  expect(writesOf(() => $client.query("SELECT value FROM settings WHERE name = 'UPDATE'").get())).toBe(0);
});

test("what is committed is looked at before anything else comes by", () => {
  const seen: string[] = [];
  const edges = new Edges(() => void seen.push("looked"));
  const holder = { isAlive: () => true };
  edges.set("committed", 1, () => void seen.push("trap"));
  for (const edge of ["begin", "commit", "committed"] as const) edges.pass(edge, holder);
  expect(seen).toEqual(["looked", "trap"]);
});
