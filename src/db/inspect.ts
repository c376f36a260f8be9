/**
 * Looks at a database file before anything is written to it, because opening a file for writing already changes it
 * (the journal mode is stored in it), and because a wrong path must never cost somebody another program's data.
 */
import { constants, Database, SQLiteError } from "bun:sqlite";
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { OPENING_BUSY_TIMEOUT_MS } from "./busy.ts";
import { StartError } from "./start-error.ts";

/** `PRAGMA application_id` of every database of ours, stamped by the migration runner: "BrWg" in ASCII. */
export const APPLICATION_ID = 0x42725767;

/** A row of the table `migrations`: what was applied, when, and by which version of the program. */
export type AppliedMigration = {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAtMs: number;
  readonly programVersion: string;
};

/** What a file is, as far as can be seen without touching it. */
export type FileInspection =
  | { kind: "missing" } // nothing there
  | { kind: "empty" } // no bytes, or a database without a single table
  | { kind: "not_sqlite" } // a directory, or a file with another header
  | { kind: "foreign"; applicationId: number; tables: string[] } // a healthy database of another program
  | { kind: "ours"; appliedMigrations: AppliedMigration[] } // a healthy database of Broomwagon, of any version
  | { kind: "corrupt"; detail: string }; // a database by its header, and damaged

/** The database file is damaged. A person restores a backup: no start of ours repairs it, and none makes it worse. */
export class DatabaseCorruptError extends StartError {
  override readonly name = "DatabaseCorruptError";
  constructor(
    readonly path: string,
    readonly detail: string,
    options?: { cause: unknown },
  ) {
    super(
      "database_corrupt",
      `The database ${path} is damaged (${detail}). Nothing was changed. Keep a copy of it, then put a sound copy in its place: the newest broomwagon-before-….sqlite beside it, or one of your own, made with VACUUM INTO.`,
      options,
    );
  }
}

/** The file at the database's path belongs to something else. */
export class DatabaseForeignError extends StartError {
  override readonly name = "DatabaseForeignError";
  constructor(
    readonly path: string,
    readonly found: string,
  ) {
    super(
      "database_foreign",
      `${path} is no database of Broomwagon: it is ${found}. Nothing was changed. Move it away, or set BROOMWAGON_DATA_DIR to another directory.`,
    );
  }
}

/**
 * Says what the file at `path` is. Opens it read-only and changes no byte of it; what lies in its write-ahead log
 * counts as its content. `pages: "all"` (default) reads every page (about 1.3 ms a megabyte from the page cache),
 * `"first"` only the schema.
 * @throws SQLiteError when the file can be neither read nor judged: no permission, a failing disk, an exclusive lock.
 */
export function inspectFile(path: string, options: { pages?: "all" | "first" } = {}): FileInspection {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return { kind: "missing" };
  if (!file.isFile()) return { kind: "not_sqlite" };
  if (file.size === 0) return { kind: "empty" };
  try {
    const client = openToLook(path);
    try {
      return look(client, options.pages ?? "all");
    } finally {
      client.close();
    }
  } catch (error) {
    return judgeError(error, path);
  }
}

/**
 * Opens without leaving `-wal` and `-shm` files behind, which SQLite makes even for a reader of a WAL database: with
 * neither there, nobody has the file open and nothing is outstanding, so it may be taken as immutable. Otherwise the
 * log holds committed rows, and an ordinary reader sees them.
 */
function openToLook(path: string): Database {
  const isAtRest = !existsSync(`${path}-wal`) && !existsSync(`${path}-shm`) && !existsSync(`${path}-journal`);
  if (isAtRest) {
    // As a URL, so that a "?" or "#" in the path stays part of the path.
    return new Database(
      `${pathToFileURL(path).href}?immutable=1`,
      constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI,
    );
  }
  const client = new Database(path, { readonly: true });
  client.run(`PRAGMA busy_timeout = ${OPENING_BUSY_TIMEOUT_MS}`);
  return client;
}

function look(client: Database, pages: "all" | "first"): FileInspection {
  const tables = client
    .query<{ name: string }, []>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .all()
    .map((table) => table.name);
  if (pages === "all") {
    // A row that breaks a CHECK is no damage: rows may be edited by hand with checks ignored, and the daemon heals
    // them. (This SQLite leaves the checks out on a read-only connection anyway; on any other, quick_check reports them.)
    client.run("PRAGMA ignore_check_constraints = ON");
    const verdict = client.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get()?.quick_check;
    if (verdict !== "ok") return { kind: "corrupt", detail: verdict ?? "the check gave no answer" };
  }
  const applicationId =
    client.query<{ application_id: number }, []>("PRAGMA application_id").get()?.application_id ?? 0;
  if (applicationId !== APPLICATION_ID) {
    return applicationId === 0 && tables.length === 0 ? { kind: "empty" } : { kind: "foreign", applicationId, tables };
  }
  // The stamp and the table are written in one transaction: one without the other is damage.
  if (!tables.includes("migrations")) return { kind: "corrupt", detail: "its table of migrations is gone" };
  return { kind: "ours", appliedMigrations: readAppliedMigrations(client) };
}

/** The migrations that a database of ours has seen, in the order of their names. The table must be there. */
export function readAppliedMigrations(client: Database): AppliedMigration[] {
  return client
    .query<AppliedMigration, []>(
      "SELECT name, checksum, applied_at_ms AS appliedAtMs, program_version AS programVersion FROM migrations ORDER BY name",
    )
    .all();
}

function judgeError(error: unknown, path: string): FileInspection {
  if (!(error instanceof SQLiteError)) throw error;
  // SQLite says "not a database" also of a database whose first page is damaged: the header tells them apart.
  if (error.code === "SQLITE_NOTADB" && !hasSqliteHeader(path)) return { kind: "not_sqlite" };
  if (error.code === "SQLITE_NOTADB" || error.code?.startsWith("SQLITE_CORRUPT")) {
    return { kind: "corrupt", detail: error.message };
  }
  throw error;
}

/**
 * Reads the first bytes around SQLite. Only for a file that SQLite has just refused: closing a file drops every POSIX
 * lock that this process holds on it, SQLite's own included, and on a refused file it holds none.
 */
function hasSqliteHeader(path: string): boolean {
  const expected = Buffer.from("SQLite format 3\0", "latin1");
  const header = Buffer.alloc(expected.length);
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return header.equals(expected);
}
