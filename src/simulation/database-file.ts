import { Database } from "bun:sqlite";
import { epochMs } from "../core/units.ts";
import { migrate, migrationsFolder } from "../db/migrate.ts";
import { type Db, openMemoryDatabase } from "../db/open.ts";
import { connectThrough } from "./driver.ts";
import type { Edges, Holder } from "./edges.ts";

/** The schema, made once by the real migrations; every simulation begins with a copy. */
let template: Uint8Array | undefined;

function migrated(): Uint8Array {
  if (template === undefined) {
    const db = openMemoryDatabase();
    migrate(db, { folder: migrationsFolder(), nowMs: epochMs(0), programVersion: "simulation" });
    template = db.$client.serialize();
    db.$client.close();
  }
  return template;
}

/** The database as it lies on the disk: it outlives the processes that open it. It is in memory, and never flushed. */
export class DatabaseFile {
  #client = openCopy(migrated());

  /** What is committed, for whoever looks from outside or changes rows by hand. */
  get client(): Database {
    return this.#client;
  }

  /** A connection of a process. */
  open(edges: Edges, holder: Holder): Db {
    return connectThrough(this.#client, edges, holder);
  }

  /** Nobody holds it any more: what was not committed is gone, and with it all that a connection remembers. */
  reopen(): void {
    if (this.#client.inTransaction) this.#client.run("ROLLBACK");
    const bytes = this.#client.serialize();
    this.#client.close();
    this.#client = openCopy(bytes);
  }

  /** A batch that had ended, and was ended or begun once more; null: none was. */
  revivedBatch(): { id: number; was: string; now: string } | null {
    return this.#client
      .query<{ id: number; was: string; now: string }, []>("SELECT id, was, now FROM revived_batches")
      .get();
  }

  /** What a hand revived is no breach. */
  forgetRevived(): void {
    this.#client.run("DELETE FROM revived_batches");
  }

  close(): void {
    this.#client.close();
  }
}

function openCopy(bytes: Uint8Array): Database {
  const client = Database.deserialize(bytes);
  client.run("PRAGMA foreign_keys = ON");
  client.run("CREATE TEMP TABLE revived_batches (id INTEGER, was TEXT, now TEXT)");
  client.run(`CREATE TEMP TRIGGER note_revived AFTER UPDATE OF status ON batches
    WHEN OLD.status IN ('completed', 'failed', 'cancelled')
    BEGIN INSERT INTO revived_batches VALUES (NEW.id, OLD.status, NEW.status); END`);
  return client;
}
