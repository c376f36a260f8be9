import { expect } from "bun:test";
import type { Db } from "../../src/db/open.ts";

/** Every statement that `work` runs, once each, in the order in which they were first run. */
export function statementsOf(db: Db, work: () => unknown): readonly string[] {
  const ran = runsOf(db, work);
  return [...new Set(ran)];
}

/** Every run of a statement, in order. Statements that Drizzle prepared before are not seen. */
export function runsOf(db: Db, work: () => unknown): readonly string[] {
  const { $client: client } = db;
  const seen: string[] = [];
  const [query, prepare] = [client.query.bind(client), client.prepare.bind(client)];
  const noting = (ask: (sql: string) => unknown) => (sql: string) => {
    seen.push(sql);
    return ask(sql);
  };
  Object.assign(client, { query: noting(query), prepare: noting(prepare) });
  try {
    work();
  } finally {
    Object.assign(client, { query, prepare });
  }
  return seen;
}

/** How SQLite would run each statement that `work` runs, a line a step. */
export function planOf(db: Db, work: () => unknown): string {
  const seen = statementsOf(db, work);
  expect(seen.length).toBeGreaterThan(0);
  return seen
    .flatMap((sql) => db.$client.query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`).all())
    .map((step) => step.detail)
    .join("\n");
}
