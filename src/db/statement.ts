import type { Changes, SQLQueryBindings } from "bun:sqlite";
import type { Db } from "./open.ts";

/**
 * A statement written in SQL, prepared once a connection. For the hot paths and for what Drizzle's builder says less
 * clearly than SQL does; parameters are positional (`?1`, `?2`, …). Everything else is built with Drizzle.
 */
export function statement<Row, Params extends SQLQueryBindings[]>(sql: string): (db: Db) => SqlStatement<Row, Params> {
  // bun:sqlite keeps prepared statements by their text, for as long as the connection lives.
  return (db) => db.$client.query<Row, SQLQueryBindings[]>(sql);
}

/**
 * Whether a query has any row. Asked before one with many columns that is mostly empty: Bun prepares a result of twenty columns
 * for ten microseconds, each time, and a daemon that has nothing to do asks a dozen of them a minute, for years.
 */
export function anyRow<Params extends SQLQueryBindings[]>(sql: string): (db: Db, ...params: Params) => boolean {
  const exists = statement<{ found: 0 | 1 }, Params>(`SELECT EXISTS (${sql}) AS found`);
  return (db, ...params) => exists(db).get(...params)?.found === 1;
}

/** The part of a prepared statement that we use, with its parameters' types. */
export type SqlStatement<Row, Params extends SQLQueryBindings[]> = {
  get(...params: Params): Row | null;
  all(...params: Params): Row[];
  run(...params: Params): Changes;
};

/** Builds something once a connection: Drizzle statements, prepared. */
export function oncePerDb<T>(build: (db: Db) => T): (db: Db) => T {
  const built = new WeakMap<Db, T>();
  return (db) => {
    let value = built.get(db);
    if (value === undefined) {
      value = build(db);
      built.set(db, value);
    }
    return value;
  };
}
