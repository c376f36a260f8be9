import type { Database } from "bun:sqlite";

/**
 * Forgets what SQLite was once told of the sizes of tables (`ANALYZE`, `PRAGMA optimize`). Statistics are of the day on which they were
 * made: those of a small database have SQLite read whole tables years later, since a table of ten rows is quicker read than
 * looked up. Every plan here is written, and tested, to do without. Writes only where there are any.
 */
export function forgetStatistics(client: Database): void {
  const tables = client
    .query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4')")
    .all()
    .filter(({ name }) => client.query(`SELECT 1 FROM ${name} LIMIT 1`).get() !== null);
  if (tables.length === 0) return;
  for (const { name } of tables) client.run(`DELETE FROM ${name}`);
  // Reads them anew, analyses nothing.
  client.run("ANALYZE sqlite_schema");
}
