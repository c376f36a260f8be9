/**
 * Brings the schema up to date. Drizzle's own migrator looks only at the newest timestamp and never at the text, so a
 * migration that was edited, or came in through another branch, would pass unseen; this one goes by name and checksum.
 *
 * A migration is a file `drizzle/NNNN_name.sql`, as drizzle-kit writes it, applied in the order of the names.
 */
import type { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EpochMs } from "../core/units.ts";
import { APPLICATION_ID, readAppliedMigrations } from "./inspect.ts";
import { copyBeforeMigration, dropOldCopies, removeCopy } from "./migration-copy.ts";
import type { Db } from "./open.ts";
import { StartError } from "./start-error.ts";
import { forgetStatistics } from "./statistics.ts";
import { inWriteTransaction } from "./transaction.ts";

/** One migration of this program. `checksum` is the SHA-256 of its text, in hex. */
export type Migration = { readonly name: string; readonly checksum: string; readonly statements: readonly string[] };

/** A newer program has written the database: this one would misread it. */
export class SchemaTooNewError extends StartError {
  override readonly name = "SchemaTooNewError";
  constructor(
    readonly migration: string,
    readonly programVersion: string,
  ) {
    super(
      "schema_too_new",
      `The database has the migration ${migration}, which this program does not know: Broomwagon ${programVersion} applied it. Nothing was changed. Run version ${programVersion} or later, or put back the copy made before that upgrade (broomwagon-before-….sqlite in the data directory).`,
    );
  }
}

/** A migration reads otherwise than when it was applied: nobody can say which schema the database has. */
export class SchemaChangedError extends StartError {
  override readonly name = "SchemaChangedError";
  constructor(
    readonly migration: string,
    readonly programVersion: string,
  ) {
    super(
      "schema_changed",
      `The migration ${migration} is not the one that Broomwagon ${programVersion} applied to this database: its text has changed since. Nothing was changed. Run an unaltered release; a shipped migration is never edited, a new one follows it.`,
    );
  }
}

/** A migration did not go through. All pending ones were undone: the database is as it was. */
export class MigrationFailedError extends StartError {
  override readonly name = "MigrationFailedError";
  constructor(
    readonly migration: string,
    readonly reason: string,
    options?: { cause: unknown },
  ) {
    super(
      "migration_failed",
      `The migration ${migration} failed: ${reason}. All pending migrations were undone and the database is as it was. Go on with the former version, and report this.`,
      options,
    );
  }
}

/**
 * Where the migrations are: `drizzle/` at the top of the checkout, or embedded in the compiled program by
 * `--asset=./drizzle`. There, `import.meta.dir` of every module is the root of the embedded files.
 */
export function migrationsFolder(): string {
  const embedded = join(import.meta.dir, "drizzle");
  return existsSync(embedded) ? embedded : join(import.meta.dir, "../../drizzle");
}

/**
 * Reads the migrations of `folder`, in the order of their names.
 * @throws Error when there is none: a program without its migrations would take an empty database for a current one.
 */
export function readMigrations(folder: string): Migration[] {
  const files = readdirSync(folder).filter((file) => /^\d{4}_.+\.sql$/.test(file));
  if (files.length === 0) throw new Error(`There are no migrations (NNNN_name.sql) in ${folder}`);
  return files.sort().map((file) => {
    // A checkout may have turned the line ends; that is no other migration.
    const text = readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n");
    return {
      name: file.slice(0, -".sql".length),
      checksum: createHash("sha256").update(text).digest("hex"),
      statements: text.split("--> statement-breakpoint").filter(hasStatement),
    };
  });
}

/**
 * Applies the migrations that the database has not seen: all of them or none, in one transaction that also records
 * them and stamps the file as ours. A database on disk that holds anything is copied first, to
 * `broomwagon-before-<name>-<time>.sqlite` in `backupTo` (default: beside it; the last three copies are kept).
 * Foreign keys are not enforced meanwhile (a table that is rebuilt would take its children along), and checked at the
 * end; rows that dangled before are nobody's fault and may stay, for the daemon to heal.
 * @returns the names applied, oldest first, and the path of the copy, if one was made.
 * @throws SchemaTooNewError, SchemaChangedError before anything is written; MigrationFailedError with all undone.
 */
export function migrate(
  db: Db,
  options: { folder: string; nowMs: EpochMs; programVersion: string; backupTo?: string },
): { applied: string[]; backup?: string } {
  const client = db.$client;
  const migrations = readMigrations(options.folder);
  const firstPending = pendingMigrations(client, migrations)[0];
  forgetStatistics(client);
  if (firstPending === undefined) return { applied: [] };
  const folder = options.backupTo ?? dirname(client.filename);
  const backup = isWorthACopy(client)
    ? copyBeforeMigration(client, { folder, migration: firstPending.name, nowMs: options.nowMs })
    : undefined;
  try {
    const applied = withoutForeignKeys(client, () =>
      inWriteTransaction(db, () => {
        // Once more, now that nobody else can write: two programs may have started at the same moment.
        const pending = pendingMigrations(client, migrations);
        applyAll(client, pending, options);
        return pending.map((migration) => migration.name);
      }),
    );
    if (backup === undefined) return { applied };
    dropOldCopies(folder);
    return { applied, backup };
  } catch (error) {
    // Nothing has changed, so the copy is of no use; a service that restarts in a loop must not fill the disk, nor
    // push the older copies out.
    if (backup !== undefined) removeCopy(backup);
    throw error;
  }
}

/** What is still to apply, in order. Refuses a database that this program does not understand. */
function pendingMigrations(client: Database, migrations: Migration[]): Migration[] {
  if (!hasTable(client, "migrations")) return migrations;
  const applied = readAppliedMigrations(client);
  for (const { name, checksum, programVersion } of applied) {
    const known = migrations.find((migration) => migration.name === name);
    if (known === undefined) throw new SchemaTooNewError(name, programVersion);
    if (known.checksum !== checksum) throw new SchemaChangedError(name, programVersion);
  }
  return migrations.filter((migration) => !applied.some(({ name }) => name === migration.name));
}

function applyAll(client: Database, pending: Migration[], options: { nowMs: EpochMs; programVersion: string }): void {
  const last = pending.at(-1);
  if (last === undefined) return;
  client.run(
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL, applied_at_ms INTEGER NOT NULL, program_version TEXT NOT NULL) STRICT",
  );
  client.run(`PRAGMA application_id = ${APPLICATION_ID}`);
  const danglingBefore = countDanglingRows(client);
  for (const migration of pending) {
    apply(client, migration);
    client.run("INSERT INTO migrations (name, checksum, applied_at_ms, program_version) VALUES (?, ?, ?, ?)", [
      migration.name,
      migration.checksum,
      options.nowMs,
      options.programVersion,
    ]);
  }
  for (const [reference, count] of countDanglingRows(client)) {
    const more = count - (danglingBefore.get(reference) ?? 0);
    if (more > 0) throw new MigrationFailedError(last.name, `it leaves ${more} rows that point nowhere (${reference})`);
  }
}

function apply(client: Database, migration: Migration): void {
  for (const statement of migration.statements) {
    try {
      client.run(statement);
    } catch (error) {
      throw new MigrationFailedError(migration.name, error instanceof Error ? error.message : String(error), {
        cause: error,
      });
    }
    // The rest would be applied for good one by one, whatever came of it.
    if (!client.inTransaction)
      throw new MigrationFailedError(migration.name, "it ends the transaction that it runs in");
  }
}

/** Rows whose foreign key finds nothing, counted by reference ("batches → syncs"). */
function countDanglingRows(client: Database): Map<string, number> {
  const rows = client
    .query<{ reference: string; count: number }, []>(
      `SELECT "table" || ' → ' || parent AS reference, count(*) AS count FROM pragma_foreign_key_check GROUP BY 1`,
    )
    .all();
  return new Map(rows.map((row) => [row.reference, row.count]));
}

/** The setting does nothing inside a transaction, so it is made around it. */
function withoutForeignKeys<T>(client: Database, work: () => T): T {
  client.run("PRAGMA foreign_keys = OFF");
  try {
    return work();
  } finally {
    client.run("PRAGMA foreign_keys = ON");
  }
}

function isWorthACopy(client: Database): boolean {
  const isOnDisk = client.filename !== ":memory:" && client.filename !== "";
  return isOnDisk && hasTable(client, "migrations");
}

function hasTable(client: Database, name: string): boolean {
  return client.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== null;
}

/** Bun refuses to run text that is only comments and blanks. */
function hasStatement(text: string): boolean {
  return text.replaceAll(/--.*$/gm, "").trim() !== "";
}
