import { SECOND_MS } from "../core/units.ts";
import { type AuditEntry, addAudit } from "../db/audit.ts";
import { retryWhenBusy } from "../db/busy.ts";
import { dataDirectoryPaths } from "../db/data-directory.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import type { GivenArguments } from "./arguments.ts";
import { FailedError } from "./failures.ts";
import { loadSettings } from "./settings.ts";
import type { World } from "./world.ts";

/** A daemon's transactions are short: whoever holds the lock longer is a backup or a person's shell. */
const BUSY_LIMIT_MS = 10 * SECOND_MS;

/**
 * Does `work` on the configured database, beside a running daemon or without one.
 * @throws StartError when there is no database, or it is none of ours; FailedError when it has no table of tokens yet.
 */
export async function withTokenStore<T>(
  given: GivenArguments,
  world: World,
  work: (db: Db) => T extends PromiseLike<unknown> ? never : T,
): Promise<T> {
  const { databasePath } = dataDirectoryPaths(loadSettings(given, world).config.dataDir);
  const db = openDatabase(databasePath, { mode: "write" });
  try {
    if (!hasTable(db, "admin_tokens")) {
      throw new FailedError(`The schema of ${databasePath} is too old for tokens. Run "broomwagon migrate" first.`);
    }
    return await retryWhenBusy(() => work(db), { clock: world.clock, limitMs: BUSY_LIMIT_MS });
  } finally {
    closeDatabase(db);
  }
}

/** Records what somebody at the command line changed; not in a database that is older than the audit. */
export function auditAtCommandLine(db: Db, entry: Omit<AuditEntry, "actor">): void {
  if (!hasTable(db, "audit")) return;
  addAudit(db, { actor: "command line", ...entry });
}

function hasTable(db: Db, name: string): boolean {
  return db.$client.query("SELECT 1 FROM sqlite_schema WHERE name = ?").get(name) !== null;
}
