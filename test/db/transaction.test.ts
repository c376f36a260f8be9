import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBusy } from "../../src/db/busy.ts";
import { closeDatabase, type Db, openDatabase } from "../../src/db/open.ts";
import { inSavepoint, inWriteTransaction } from "../../src/db/transaction.ts";

let directory: string;
let db: Db;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-transaction-"));
  db = openDatabase(join(directory, "x.sqlite"));
  db.$client.run("CREATE TABLE t (x INTEGER PRIMARY KEY) STRICT");
});
afterEach(() => {
  closeDatabase(db);
  rmSync(directory, { recursive: true, force: true });
});

const insert = (x: number) => {
  db.$client.run("INSERT INTO t VALUES (?)", [x]);
};
const rows = () =>
  db.$client
    .query<{ x: number }, []>("SELECT x FROM t ORDER BY x")
    .all()
    .map(({ x }) => x);
const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("a write transaction commits what its work did, and gives back its result", () => {
  const result = inWriteTransaction(db, () => {
    insert(1);
    insert(2);
    return "stored";
  });
  expect(result).toBe("stored");
  expect(rows()).toEqual([1, 2]);
});

test("a write transaction whose work throws leaves nothing, and the connection free", () => {
  const failing = () => {
    insert(1);
    throw new Error("half way");
  };
  expect(() => inWriteTransaction(db, failing)).toThrow("half way");
  expect(rows()).toEqual([]);
  expect(db.$client.inTransaction).toBe(false);
});

test("a write transaction holds the write lock before its first write", () => {
  const foreign = new Database(join(directory, "x.sqlite"));
  foreign.run("PRAGMA busy_timeout = 0");
  inWriteTransaction(db, () => {
    expect(isBusy(thrownBy(() => foreign.run("INSERT INTO t VALUES (9)")))).toBe(true);
  });
  foreign.run("INSERT INTO t VALUES (9)");
  expect(rows()).toEqual([9]);
  foreign.close();
});

test("asynchronous work is refused by the type, and rolled back where the type was lost", async () => {
  const forgotten = async () => {
    insert(1);
  };
  // @ts-expect-error A promise is refused where it is written.
  expect(() => inWriteTransaction(db, forgotten)).toThrow(/synchronous/);
  const untyped: (tx: unknown) => never = forgotten as never;
  expect(() => inWriteTransaction(db, untyped)).toThrow(/synchronous/);
  expect(rows()).toEqual([]);
});

test("an inner write transaction that throws undoes itself alone", () => {
  inWriteTransaction(db, () => {
    insert(1);
    thrownBy(() =>
      inWriteTransaction(db, () => {
        insert(2);
        throw new Error("inner");
      }),
    );
    insert(3);
  });
  expect(rows()).toEqual([1, 3]);
});

test("a savepoint that throws undoes itself alone; the others of the transaction stay", () => {
  inWriteTransaction(db, () => {
    inSavepoint(db, () => insert(1));
    const failing = () => {
      insert(2);
      throw new Error("one of them");
    };
    expect(() => inSavepoint(db, failing)).toThrow("one of them");
    expect(inSavepoint(db, () => rows())).toEqual([1]);
    inSavepoint(db, () => insert(3));
  });
  expect(rows()).toEqual([1, 3]);
});

test("savepoints nest: an inner one that throws leaves the outer one's rows", () => {
  inWriteTransaction(db, () => {
    inSavepoint(db, () => {
      insert(1);
      thrownBy(() =>
        inSavepoint(db, () => {
          insert(2);
          throw new Error("inner");
        }),
      );
      insert(3);
    });
    thrownBy(() =>
      inSavepoint(db, () => {
        inSavepoint(db, () => insert(4));
        insert(5);
        thrownBy(() =>
          inSavepoint(db, () => {
            throw new Error("inner");
          }),
        );
        throw new Error("outer");
      }),
    );
  });
  expect(rows()).toEqual([1, 3]);
});

test("a broken constraint in a savepoint does not end the transaction", () => {
  inWriteTransaction(db, () => {
    insert(1);
    expect(() => inSavepoint(db, () => insert(1))).toThrow(/UNIQUE/);
    insert(2);
  });
  expect(rows()).toEqual([1, 2]);
});

test("a savepoint refuses a promise and a place outside of any transaction", () => {
  expect(() => inSavepoint(db, () => insert(1))).toThrow(/outside of a transaction/);
  inWriteTransaction(db, () => {
    // @ts-expect-error A promise is refused where it is written.
    expect(() => inSavepoint(db, async () => insert(2))).toThrow(/synchronous/);
  });
  expect(rows()).toEqual([]);
});

test("a savepoint in a transaction that ended by itself lets the first error rise", () => {
  const failing = () => {
    db.$client.run("ROLLBACK"); // As SQLite does on a full disk.
    throw new Error("disk full");
  };
  expect(() => inWriteTransaction(db, () => inSavepoint(db, failing))).toThrow("disk full");
  expect(db.$client.inTransaction).toBe(false);
});
