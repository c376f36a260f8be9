import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBusy } from "../../src/db/busy.ts";
import { type Commits, createCommits, RESULTS_A_COMMIT } from "../../src/db/group-commit.ts";
import { closeDatabase, type Db, openDatabase } from "../../src/db/open.ts";
import { FakeClock } from "../support/fake-clock.ts";

let directory: string;
let db: Db;
let watcher: Database;
let clock: FakeClock;
let happened: string[];
let commits: Commits;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-commits-"));
  const path = join(directory, "x.sqlite");
  db = openDatabase(path);
  db.$client.run("PRAGMA busy_timeout = 0");
  db.$client.run("CREATE TABLE t (x INTEGER PRIMARY KEY) STRICT");
  watcher = new Database(path);
  clock = new FakeClock(1_763_334_772_370);
  happened = [];
  commits = commitsWith(() => () => {});
});
afterEach(() => {
  watcher.close();
  closeDatabase(db);
  rmSync(directory, { recursive: true, force: true });
});

const commitsWith = (beforeCommit: () => () => void) => createCommits({ db, clock, beforeCommit });
const insert = (x: number) => {
  db.$client.run("INSERT INTO t VALUES (?)", [x]);
  return x;
};
/** What another connection sees: committed rows only. */
const committed = () =>
  watcher
    .query<{ x: number }, []>("SELECT x FROM t ORDER BY x")
    .all()
    .map((row) => row.x);
/** Counts the commits that another connection sees while `work` goes on, one look for each thing that happens. */
const version = () => watcher.query<{ data_version: number }, []>("PRAGMA data_version").get()?.data_version ?? 0;
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    (value) => `got ${value}`,
    (error: Error) => `refused: ${error.message}`,
  );

test("works that arrive in the same turn are committed together, in their order, and each gets its own result", async () => {
  const order: number[] = [];
  let transactions = 0;
  commits = commitsWith(() => {
    transactions++;
    return () => {};
  });
  const promises = [3, 1, 2].map((x) =>
    commits.soon(() => {
      order.push(x);
      return insert(x);
    }),
  );
  expect(order).toEqual([]);
  const before = version();
  await clock.advance(0);
  expect(await Promise.all(promises)).toEqual([3, 1, 2]);
  expect(order).toEqual([3, 1, 2]);
  expect(committed()).toEqual([1, 2, 3]);
  expect(transactions).toBe(1);
  expect(version()).not.toBe(before);
});

test("nothing waits for company: what is queued is committed without time passing", async () => {
  const promise = commits.soon(() => insert(1));
  expect(clock.nextDueMs()).toBe(clock.nowMs());
  await clock.advance(0);
  expect(await promise).toBe(1);
  expect(clock.nextDueMs()).toBeUndefined();
});

test("a full group is committed at once, one result less at the end of the turn, and none is committed twice", async () => {
  let transactions = 0;
  commits = commitsWith(() => {
    transactions++;
    return () => {};
  });
  for (let x = 1; x < RESULTS_A_COMMIT; x++) void commits.soon(() => insert(x));
  expect(committed()).toEqual([]);
  void commits.soon(() => insert(RESULTS_A_COMMIT));
  expect(committed()).toHaveLength(RESULTS_A_COMMIT);
  expect(clock.nextDueMs()).toBeUndefined();
  void commits.soon(() => insert(RESULTS_A_COMMIT + 1));
  await clock.advance(0);
  expect(committed()).toHaveLength(RESULTS_A_COMMIT + 1);
  expect(transactions).toBe(2);
});

test("a burst that meets a lock waits once, and every result is committed once the lock is gone", async () => {
  watcher.run("BEGIN IMMEDIATE");
  const promises = Array.from({ length: 40 }, (_, x) => commits.soon(() => insert(x)));
  await clock.advance(29_000);
  watcher.run("COMMIT");
  await clock.advance(500);
  expect(await Promise.all(promises)).toHaveLength(40);
  expect(committed()).toHaveLength(40);
});

test("a work that throws undoes itself alone, and only its caller hears of it", async () => {
  const first = commits.soon(() => insert(1));
  const bad = commits.soon(() => {
    insert(2);
    throw new Error("half way");
  });
  const doubled = outcome(commits.soon(() => insert(1)));
  const last = commits.soon(() => insert(3));
  const refused = outcome(bad);
  await clock.advance(0);
  expect([await first, await last]).toEqual([1, 3]);
  expect(await refused).toBe("refused: half way");
  expect(await doubled).toContain("UNIQUE constraint failed");
  expect(committed()).toEqual([1, 3]);
});

test("what is to follow a commit follows it, in order, and never follows a work that was undone", async () => {
  const after = (what: string) => commits.afterCommit(() => happened.push(`${what} sees ${committed().length}`));
  void commits.soon(() => {
    insert(1);
    after("first");
  });
  const bad = commits.soon(() => {
    after("undone");
    throw new Error("no");
  });
  bad.catch(() => {});
  void commits.soon(() => {
    insert(2);
    after("second");
    expect(happened).toEqual([]);
  });
  await clock.advance(0);
  expect(happened).toEqual(["first sees 2", "second sees 2"]);
});

test("what a work changed in memory is taken back where it is undone, alone or with all, the newest change first", async () => {
  let held: string[] = [];
  const hold = (what: string) => {
    const before = held;
    held = [...held, what];
    commits.ifUndone(() => {
      happened.push(`${what} taken back`);
      held = before;
    });
  };
  void commits.soon(() => hold("first"));
  const bad = commits.soon(() => {
    hold("second");
    hold("third");
    throw new Error("half way");
  });
  bad.catch(() => {});
  void commits.soon(() => hold("fourth"));
  await clock.advance(0);
  expect(held).toEqual(["first", "fourth"]);
  expect(happened).toEqual(["third taken back", "second taken back"]);

  expect(() =>
    commits.now(() => {
      hold("fifth");
      insert(1);
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(held).toEqual(["first", "fourth"]);
  expect(committed()).toEqual([]);
});

test("what a work changed in memory is taken back before its commit is tried again", async () => {
  let left = 3;
  let refusals = 2;
  commits = commitsWith(() => {
    if (refusals-- > 0) throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
    return () => {};
  });
  const settle = () => {
    left--;
    commits.ifUndone(() => {
      left++;
    });
    return left;
  };
  const settled = Promise.all([commits.soon(settle), commits.soon(settle)]);
  await clock.advance(1_000);
  expect(await settled).toEqual([2, 1]);
  expect(left).toBe(1);
});

test("what was to be written at the end by a work that was undone is not written", async () => {
  const bad = commits.soon(() => {
    commits.atEnd(() => insert(1));
    throw new Error("half way");
  });
  bad.catch(() => {});
  void commits.soon(() => commits.atEnd(() => insert(2)));
  await clock.advance(0);
  expect(committed()).toEqual([2]);
});

for (const code of ["SQLITE_IOERR", "SQLITE_BUSY"]) {
  test(`a work that cannot be undone alone takes the whole transaction with it, and nothing is half written: ${code}`, async () => {
    const failures = failToRollBack(code, 1);
    const first = outcome(commits.soon(() => insert(1)));
    const bad = outcome(
      commits.soon(() => {
        insert(2);
        throw new Error("half way");
      }),
    );
    await clock.advance(1_000);
    expect(failures()).toBe(1);
    const told = [await first, await bad];
    const says = "refused: What failed could not be undone alone, so all is undone: no way back";
    // A lock is waited for: then it is tried again, all of it.
    expect(told).toEqual(code === "SQLITE_BUSY" ? ["got 1", "refused: half way"] : [says, says]);
    expect(committed()).toEqual(code === "SQLITE_BUSY" ? [1] : []);
  });
}

/** The next savepoints cannot be rolled back. @returns how often one could not. */
function failToRollBack(code: string, times: number): () => number {
  let failed = 0;
  const client = db.$client;
  const real = client.prepare.bind(client);
  client.prepare = ((sql: string) => {
    const statement = real(sql);
    if (!sql.startsWith("ROLLBACK TO")) return statement;
    return {
      run() {
        if (failed === times) return statement.run();
        failed++;
        throw Object.assign(new Error("no way back"), { code });
      },
    };
  }) as typeof client.prepare;
  return () => failed;
}

test("what goes with every commit is written in it, and told once it is committed, not when it is undone", async () => {
  commits = commitsWith(() => {
    insert(100 + happened.length);
    return () => happened.push("told");
  });
  const promise = commits.soon(() => insert(1));
  await clock.advance(0);
  await promise;
  expect(committed()).toEqual([1, 100]);
  expect(happened).toEqual(["told"]);
  expect(() =>
    commits.now(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(committed()).toEqual([1, 100]);
  expect(happened).toEqual(["told"]);
});

test("when what goes with the commit cannot be written, nothing is, and all hear of it", async () => {
  commits = commitsWith(() => {
    throw new Error("the ledger is full");
  });
  const promises = [commits.soon(() => insert(1)), commits.soon(() => insert(2))].map(outcome);
  await clock.advance(0);
  expect(await Promise.all(promises)).toEqual(["refused: the ledger is full", "refused: the ledger is full"]);
  expect(committed()).toEqual([]);
});

test("a callback that throws after the commit refuses nobody, repeats nothing, and keeps no other from being called", async () => {
  commits = commitsWith(() => () => happened.push("ledger told"));
  const promise = commits.soon(() => {
    commits.afterCommit(() => {
      throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
    });
    commits.afterCommit(() => happened.push("next"));
    return insert(1);
  });
  const loud = outcome(clock.advance(0));
  expect(await promise).toBe(1);
  expect(await loud).toBe("refused: database is locked");
  await clock.advance(1_000);
  expect(happened).toEqual(["next", "ledger told"]);
  expect(committed()).toEqual([1]);
});

test("a work that is wanted now is committed before anything else runs, and throws to its caller", () => {
  expect(commits.now(() => insert(1))).toBe(1);
  expect(committed()).toEqual([1]);
  expect(() => commits.now(() => insert(1))).toThrow("UNIQUE constraint failed");
  expect(db.$client.inTransaction).toBe(false);
});

test("a foreign writer's lock is waited for between turns, each work runs once, and the order is kept", async () => {
  watcher.run("BEGIN IMMEDIATE");
  const order: number[] = [];
  const queue = (x: number) =>
    commits.soon(() => {
      order.push(x);
      return insert(x);
    });
  const early = [queue(1), queue(2)];
  await clock.advance(0);
  const lateComer = queue(3);
  await clock.advance(400);
  expect(order).toEqual([]);
  expect(db.$client.inTransaction).toBe(false);
  watcher.run("COMMIT");
  await clock.advance(500);
  expect(await Promise.all([...early, lateComer])).toEqual([1, 2, 3]);
  expect(order).toEqual([1, 2, 3]);
  expect(committed()).toEqual([1, 2, 3]);
});

test("a lock that is not given back within half a minute refuses what waits, and the next work starts afresh", async () => {
  watcher.run("BEGIN IMMEDIATE");
  let error: unknown;
  commits
    .soon(() => insert(1))
    .catch((reason: unknown) => {
      error = reason;
    });
  await clock.advance(29_000);
  expect(error).toBeUndefined();
  await clock.advance(2_000);
  expect(isBusy(error)).toBe(true);
  watcher.run("COMMIT");
  const next = commits.soon(() => insert(2));
  await clock.advance(0);
  expect(await next).toBe(2);
  expect(committed()).toEqual([2]);
});

test("drained waits for all that is queued, what their works queue included, and for nothing when nothing is", async () => {
  await commits.drained();
  void commits.soon(() => {
    insert(1);
    void commits.soon(() => insert(2));
  });
  const drained = commits.drained().then(() => happened.push(`drained at ${committed().length}`));
  await clock.advance(0);
  await drained;
  expect(happened).toEqual(["drained at 2"]);
});

test("drained also comes when what was queued is refused", async () => {
  const refused = outcome(
    commits.soon(() => {
      throw new Error("no");
    }),
  );
  const drained = commits.drained();
  await clock.advance(0);
  await drained;
  expect(await refused).toBe("refused: no");
});

test("a transaction has one moment, however the clock runs on meanwhile; outside of one there is none", async () => {
  const startedMs = clock.nowMs();
  const moments: (number | undefined)[] = [];
  commits.now(() => {
    moments.push(commits.momentMs());
    clock.jumpTo(startedMs + 7);
    moments.push(commits.momentMs());
  });
  expect(moments).toEqual([startedMs, startedMs]);
  expect(commits.momentMs()).toBeUndefined();
  expect(() =>
    commits.now(() => {
      throw new Error("undone");
    }),
  ).toThrow("undone");
  expect(commits.momentMs()).toBeUndefined();
  commits.now(() => moments.push(commits.momentMs()));
  expect(moments[2]).toBe(startedMs + 7);
});
