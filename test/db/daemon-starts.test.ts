import { expect, test } from "bun:test";
import { epochMs } from "../../src/core/units.ts";
import { noteDaemonStart, readDaemonStarts } from "../../src/db/daemon-starts.ts";
import { storeSetting } from "../../src/db/settings.ts";
import { emptyDb } from "../support/database.ts";

test("the last fifty starts of the daemon are remembered, the oldest first", () => {
  const db = emptyDb();
  expect(readDaemonStarts(db)).toEqual([]);
  for (let start = 1; start <= 51; start++) noteDaemonStart(db, epochMs(start));
  expect(readDaemonStarts(db)).toEqual(Array.from({ length: 50 }, (_, index) => epochMs(index + 2)));
});

test("what a hand wrote there is as good as nothing, and the next start is remembered", () => {
  const db = emptyDb();
  for (const torn of ["", "{", "7", '["yesterday", 1.5, null, 4]']) {
    storeSetting(db, "daemon_starts", torn);
    expect(readDaemonStarts(db)).toEqual(torn.includes("4") ? [epochMs(4)] : []);
  }
  noteDaemonStart(db, epochMs(9));
  expect(readDaemonStarts(db)).toEqual([epochMs(4), epochMs(9)]);
});
