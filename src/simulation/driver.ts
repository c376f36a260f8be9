import type { Changes, Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import type { Db } from "../db/open.ts";
import type { Edges, Holder } from "./edges.ts";

/** Thrown wherever a process that is dead would do something: it does nothing any more. */
export class ProcessDied extends Error {
  override readonly name = "ProcessDied";
  constructor() {
    super("The process is dead: nothing that it does from here on can be seen");
  }
}

/**
 * A connection of a process to the database. Statements are SQLite's own; at the edges something else may happen, as
 * the driver would show it. Whoever is dead changes nothing: what it had begun is rolled back.
 */
export function connectThrough(real: Database, edges: Edges, holder: Holder): Db {
  const client = new Connection(real, edges, holder);
  return drizzle({ client: client as unknown as Database });
}

type Params = SQLQueryBindings[];

/** What a statement that changes something begins with, also where it returns what it has changed. */
const WRITES = /^\s*(INSERT|UPDATE|DELETE|REPLACE|WITH\b[\s\S]*\b(INSERT|UPDATE|DELETE)\b)/i;

/** The part of `Database` that the daemon and Drizzle use. */
class Connection {
  readonly #real: Database;
  readonly #edges: Edges;
  readonly #holder: Holder;
  readonly #statements = new Map<string, CountedStatement>();

  constructor(real: Database, edges: Edges, holder: Holder) {
    this.#real = real;
    this.#edges = edges;
    this.#holder = holder;
  }

  get inTransaction(): boolean {
    return this.#holder.isAlive() && this.#real.inTransaction;
  }

  query(sql: string): CountedStatement {
    let known = this.#statements.get(sql);
    if (known === undefined) {
      known = this.prepare(sql);
      this.#statements.set(sql, known);
    }
    return known;
  }

  prepare(sql: string): CountedStatement {
    this.#call();
    const statement = this.#real.query(sql);
    return new CountedStatement(statement, WRITES.test(sql) ? this.#write : this.#call);
  }

  run(sql: string, ...params: Params): Changes {
    this.#write();
    return this.#real.run(sql, ...(params as never[]));
  }

  /** As Bun's own, which it is made of: begin, commit or roll back, and savepoints inside. */
  transaction(work: () => unknown): Transactions {
    const within = (): unknown => {
      const result = work();
      // It may have died in there, and caught the news.
      this.#refuseDead();
      return result;
    };
    const writing = (): unknown => {
      const result = within();
      this.#edges.pass("commit", this.#holder);
      this.#refuseDead();
      return result;
    };
    const begin = (mode: "deferred" | "immediate"): unknown => {
      this.#call();
      if (mode === "deferred" || this.#real.inTransaction) return this.#real.transaction(within)[mode]();
      this.#edges.pass("begin", this.#holder);
      const result = this.#real.transaction(writing).immediate();
      this.#edges.pass("committed", this.#holder);
      return result;
    };
    return { deferred: () => begin("deferred"), immediate: () => begin("immediate") };
  }

  readonly #call = (): void => {
    this.#refuseDead();
    this.#edges.pass("call", this.#holder);
  };

  readonly #write = (): void => {
    this.#call();
    this.#edges.pass("write", this.#holder);
  };

  #refuseDead(): void {
    if (!this.#holder.isAlive()) throw new ProcessDied();
  }
}

type Transactions = { deferred(): unknown; immediate(): unknown };

class CountedStatement {
  readonly #real: Statement;
  readonly #pass: () => void;

  /** @param pass the edge that each of its runs comes by. */
  constructor(real: Statement, pass: () => void) {
    this.#real = real;
    this.#pass = pass;
  }

  get(...params: Params): unknown {
    this.#pass();
    return this.#real.get(...(params as never[]));
  }

  all(...params: Params): unknown[] {
    this.#pass();
    return this.#real.all(...(params as never[]));
  }

  values(...params: Params): unknown[][] {
    this.#pass();
    return this.#real.values(...(params as never[]));
  }

  run(...params: Params): Changes {
    this.#pass();
    return this.#real.run(...(params as never[]));
  }
}

/** What the driver throws: a code and a number, as SQLite has them. */
export type SqliteFault = "SQLITE_BUSY" | "SQLITE_FULL" | "SQLITE_IOERR";

const SAYINGS: Readonly<Record<SqliteFault, readonly [errno: number, message: string]>> = {
  SQLITE_BUSY: [5, "database is locked"],
  SQLITE_FULL: [13, "database or disk is full"],
  SQLITE_IOERR: [10, "disk I/O error"],
};

/** bun:sqlite's own error cannot be made by anybody else; whoever meets one looks at its code. */
export function driverError(code: SqliteFault): Error {
  const [errno, message] = SAYINGS[code];
  const error = new Error(message);
  error.name = "SQLiteError";
  return Object.assign(error, { code, errno, byteOffset: -1 });
}
