import { statSync } from "node:fs";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

export type DatabaseSize = {
  readonly totalBytes: number;
  /** Of pages that hold nothing any more, and will be used again. */
  readonly freeBytes: number;
  /** Of the write-ahead log beside it. */
  readonly logBytes: number;
};

const sizeStatement = statement<{ pages: number; free: number; pageBytes: number }, []>(
  `SELECT page_count AS pages, freelist_count AS free, page_size AS pageBytes
   FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
);

/** How large the database is. The log is only asked for its size: opening it by any other way would drop SQLite's locks. */
export function readDatabaseSize(db: Db): DatabaseSize {
  const { pages = 0, free = 0, pageBytes = 0 } = sizeStatement(db).get() ?? {};
  const log = statSync(`${db.$client.filename}-wal`, { throwIfNoEntry: false });
  return { totalBytes: pages * pageBytes, freeBytes: free * pageBytes, logBytes: log?.size ?? 0 };
}
