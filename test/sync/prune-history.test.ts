import { expect, test } from "bun:test";
import { DAY_MS, plusMs } from "../../src/core/units.ts";
import { insertInvite, readInvites, takeInvite } from "../../src/db/invites.ts";
import { pruneHistory } from "../../src/sync/prune-history.ts";
import { createTestEngine } from "../support/engine.ts";

test("invitations go when they have let nobody in for as long as history is kept: used, or expired", async () => {
  const { db, clock, context } = createTestEngine();
  const nowMs = clock.nowMs();
  const make = (label: string, lifeDays: number) =>
    insertInvite(db, { label, tokenHash: label, nowMs, by: "admin", expiresAtMs: plusMs(nowMs, lifeDays * DAY_MS) }).id;
  make("expired early", 1);
  make("expired late", 3);
  const used = make("used early", 90);
  takeInvite(db, used, plusMs(nowMs, DAY_MS));
  make("open", 90);
  const left = async (): Promise<string[]> => {
    const pruned = pruneHistory(context, 30 * DAY_MS);
    await clock.advance(1_000);
    await pruned;
    return readInvites(db, 99, 99).map((row) => row.label);
  };
  await clock.advance(31 * DAY_MS);
  expect(await left()).toEqual(["open", "used early", "expired late", "expired early"]);
  await clock.advance(1);
  expect(await left()).toEqual(["open", "expired late"]);
});
