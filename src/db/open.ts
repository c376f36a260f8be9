import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { BUSY_TIMEOUT_MS, isBusy, OPENING_BUSY_TIMEOUT_MS } from "./busy.ts";
import { DatabaseCorruptError, DatabaseForeignError, inspectFile } from "./inspect.ts";
import { StartError } from "./start-error.ts";

/** One connection to the database, with Drizzle on it; `$client` is the bare connection. */
export type Db = BunSQLiteDatabase & { $client: Database };
/** The same connection inside a transaction. Functions that only run statements take `Db | Tx`. */
export type Tx = Parameters<Parameters<Db["transaction"]>[0]>[0];

/** What a connection is for. */
export type OpenMode =
  | "create" // the daemon, migrate, restore: makes the file when it is missing, checks every page when it is not
  | "write" // a command beside the daemon: the file must be there, and only what it is gets checked
  | "read"; // looks, and cannot write

/** A command that needs the database found none. */
export class DatabaseMissingError extends StartError {
  override readonly name = "DatabaseMissingError";
  constructor(readonly path: string) {
    super(
      "database_missing",
      `There is no database at ${path}. Start the daemon once ("broomwagon serve"), or set BROOMWAGON_DATA_DIR to the directory that holds it.`,
    );
  }
}

/**
 * Opens the database at `path` with our pragmas, in mode `create` unless told otherwise. A file that is not ours is
 * refused before a byte of it changes; a new one is readable by its owner only. The schema is `migrate`'s business.
 * @throws DatabaseMissingError, DatabaseForeignError, DatabaseCorruptError; SQLiteError when the file cannot be read.
 */
export function openDatabase(path: string, options: { mode?: OpenMode } = {}): Db {
  const mode = options.mode ?? "create";
  refuseUnusable(path, mode);
  return connect(new Database(path, mode === "read" ? { readonly: true } : { readwrite: true, create: false }), mode);
}

/** A database in memory, for tests. Nothing survives its closing. */
export function openMemoryDatabase(): Db {
  return connect(new Database(":memory:"), "create");
}

/**
 * Closes the connection with everything in the one file: the log written back and emptied. When a foreign connection is
 * in the way of that, it is left for the next opening: nothing is lost.
 */
export function closeDatabase(db: Db): void {
  const client = db.$client;
  try {
    if (isForReading(client)) return;
    client.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    if (!isBusy(error)) throw error;
  } finally {
    client.close();
  }
}

function refuseUnusable(path: string, mode: OpenMode): void {
  const inspection = inspectFile(path, { pages: mode === "create" ? "all" : "first" });
  switch (inspection.kind) {
    case "ours":
      return;
    case "missing":
      if (mode !== "create") throw new DatabaseMissingError(path);
      // SQLite would make the file readable by everyone; its log files take the permissions of the file.
      closeSync(openSync(path, "a", 0o600));
      return;
    case "empty":
      if (mode !== "create") throw new DatabaseMissingError(path);
      return;
    case "not_sqlite":
      throw new DatabaseForeignError(path, "no SQLite database");
    case "foreign":
      throw new DatabaseForeignError(
        path,
        `a SQLite database of another program, with ${describeTables(inspection.tables)}`,
      );
    case "corrupt":
      throw new DatabaseCorruptError(path, inspection.detail);
    default:
      inspection satisfies never;
  }
}

function describeTables(tables: string[]): string {
  const first = tables.slice(0, 3).join(", ");
  if (tables.length === 0) return "no tables";
  return tables.length <= 3 ? `the tables ${first}` : `the tables ${first} and ${tables.length - 3} more`;
}

function connect(client: Database, mode: OpenMode): Db {
  try {
    // First, since the pragmas below may meet a lock themselves.
    client.run(`PRAGMA busy_timeout = ${OPENING_BUSY_TIMEOUT_MS}`);
    if (mode === "read") {
      // The file is opened read-only as it is; this says so to closeDatabase.
      client.run("PRAGMA query_only = ON");
    } else {
      // Readers go on while one writes, and a commit is one append and one fsync.
      client.run("PRAGMA journal_mode = WAL");
      // NORMAL may lose the last commits when the power goes, and what they hold was paid for with quota.
      client.run("PRAGMA synchronous = FULL");
    }
    // Off by default in SQLite, and a setting of the connection, not of the file.
    client.run("PRAGMA foreign_keys = ON");
    // Sorting never leaves rows of athletes in a temporary directory.
    client.run("PRAGMA temp_store = MEMORY");
    // One long transaction makes the log grow; this gives the disk back at the next checkpoint (16 MiB).
    client.run("PRAGMA journal_size_limit = 16777216");
    // None, on purpose: with memory-mapped reads a failing disk, or a file cut short by a hand, kills the process with
    // SIGBUS; without, it is an error that can be shown. The page cache below holds the hot set anyway.
    client.run("PRAGMA mmap_size = 0");
    // Negative: KiB. 16 MiB hold the live batches, their indexes and the newest races of a large club.
    client.run("PRAGMA cache_size = -16384");
    client.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  } catch (error) {
    client.close();
    throw error;
  }
  return drizzle({ client });
}

function isForReading(client: Database): boolean {
  return client.query<{ query_only: number }, []>("PRAGMA query_only").get()?.query_only === 1;
}
