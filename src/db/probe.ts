import type { EpochMs } from "../core/units.ts";
import { readAppliedMigrations } from "./inspect.ts";
import type { Migration } from "./migrate.ts";
import type { Db } from "./open.ts";
import { storeSetting } from "./settings.ts";
import { inWriteTransaction } from "./transaction.ts";

/** Why nothing can be written now, in a sentence; undefined when a write went through to the disk. */
export function whyUnwritable(db: Db, nowMs: EpochMs): string | undefined {
  try {
    inWriteTransaction(db, () => storeSetting(db, "probed_at_ms", String(nowMs)));
    return undefined;
  } catch (error) {
    return `The database takes no writes: ${error instanceof Error ? error.message : String(error)}.`;
  }
}

/** Whether the database has the schema of this program: each of its migrations, and no other. */
export function isSchemaCurrent(db: Db, migrations: readonly Migration[]): boolean {
  const applied = readAppliedMigrations(db.$client);
  return (
    applied.length === migrations.length &&
    applied.every(({ name, checksum }, index) => {
      const known = migrations[index];
      return known?.name === name && known.checksum === checksum;
    })
  );
}
