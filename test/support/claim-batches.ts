/**
 * Run as a process of its own: opens the database named by its argument, and again and again prints which batch is due,
 * waits for a line, claims that batch, and prints `claimed` or `lost`; `none` when none is due. So several processes can
 * be brought to claim the same one at the same moment.
 */
import { epochMs, leaseToken } from "../../src/core/units.ts";
import { claimBatch, readNextDueBatch } from "../../src/db/batches.ts";
import { isBusy } from "../../src/db/busy.ts";
import { openDatabase } from "../../src/db/open.ts";
import { NOW } from "./builders.ts";

const [, , path = "", owner = ""] = process.argv;
const db = openDatabase(path, { mode: "write" });
let due = look();
for await (const _line of console) {
  if (due === null) break;
  process.stdout.write(claim(due.id) ? "claimed\n" : "lost\n");
  due = look();
}

function look(): ReturnType<typeof readNextDueBatch> {
  const seen = readNextDueBatch(db, NOW, 3);
  process.stdout.write(seen === null ? "none\n" : `${seen.id}\n`);
  return seen;
}

function claim(id: Parameters<typeof claimBatch>[1]): boolean {
  const lease = { leaseToken: leaseToken(`${owner}-${id}`), leaseExpiresAtMs: epochMs(NOW + 60_000) };
  for (;;) {
    try {
      return claimBatch(db, id, { ...lease, owner, nowMs: NOW, traceId: "1".repeat(32), spanId: "1".repeat(16) });
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
  }
}
