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

  close(): void {
    this.#client.close();
  }
}

function openCopy(bytes: Uint8Array): Database {
  const client = Database.deserialize(bytes);
  client.run("PRAGMA foreign_keys = ON");
  return client;
}
