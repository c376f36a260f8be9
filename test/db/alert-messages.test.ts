import { expect, test } from "bun:test";
import {
  giveUpMessagesOf,
  insertMessage,
  nextMessageDueAtMs,
  postponeMessage,
  readMessages,
  readNextDueMessages,
  settleMessage,
} from "../../src/db/alert-messages.ts";
import type { Db } from "../../src/db/open.ts";
import { later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const put = (db: Db, channelId: number, atMs = 0): number =>
  insertMessage(db, { troubleId: null, channelId, kind: "alert", content: "{}", nowMs: later(atMs) }).id;
const due = (db: Db, atMs: number) => readNextDueMessages(db, later(atMs)).map(({ id }) => id);
const read = (db: Db, id: number) => readMessages(db, {}, id + 1, 1)[0];

test("the next message of each channel is the one that has been due longest; none before its time", () => {
  const db = emptyDb();
  const [first, , other] = [put(db, 1, 100), put(db, 1, 200), put(db, 2, 50)];
  expect([due(db, 49), due(db, 50), due(db, 99), due(db, 100), due(db, 999)]).toEqual([
    [],
    [other],
    [other],
    [other, first],
    [other, first],
  ]);
});

test("one that was put off is due at its time, and what is settled never again", () => {
  const db = emptyDb();
  const [first, second] = [put(db, 1), put(db, 1, 10)];
  postponeMessage(db, first, { attempts: 1, runAfterMs: later(5_000), error: "It answered 500." });
  expect([due(db, 4_999), due(db, 5_000)]).toEqual([[second], [second]]);
  settleMessage(db, second, { outcome: "delivered", attempts: 1, error: null, nowMs: later(20) });
  expect([due(db, 4_999), due(db, 5_000)]).toEqual([[], [first]]);
  expect([nextMessageDueAtMs(db, NOW), nextMessageDueAtMs(db, later(5_000))]).toEqual([later(5_000), undefined]);
  settleMessage(db, first, { outcome: "given_up", attempts: 2, error: "It answered 500.", nowMs: later(6_000) });
  postponeMessage(db, first, { attempts: 9, runAfterMs: later(9_000), error: "too late" });
  settleMessage(db, first, { outcome: "delivered", attempts: 9, error: null, nowMs: later(9_000) });
  expect(read(db, first)).toMatchObject({ outcome: "given_up", attempts: 2, settledAtMs: later(6_000) });
});

test("with a channel goes what waited for it, and nothing of the others or of what was settled", () => {
  const db = emptyDb();
  const [waits, sent, stays] = [put(db, 1), put(db, 1), put(db, 2)];
  settleMessage(db, sent, { outcome: "delivered", attempts: 1, error: null, nowMs: NOW });
  giveUpMessagesOf(db, 1, "The channel was removed.", later(1));
  expect([waits, sent, stays].map((id) => read(db, id)?.outcome)).toEqual(["given_up", "delivered", null]);
  expect(read(db, waits)).toMatchObject({ error: "The channel was removed.", attempts: 0 });
});
