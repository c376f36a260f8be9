import { expect, test } from "bun:test";
import { readIncident } from "../../src/core/incident.ts";
import { rawStall } from "../support/incidents.ts";

const problemsOf = (value: unknown): readonly string[] => {
  const read = readIncident(value);
  return read.ok ? [] : read.problems;
};

test("a whole file is read as it is", () => {
  const raw = rawStall();
  expect(readIncident(raw)).toEqual({ ok: true, incident: raw });
});

test("fields of a newer program are let pass and dropped", () => {
  const raw = rawStall();
  const read = readIncident({ ...raw, weather: "rain", sync: { ...raw.sync, mood: 7 } });
  expect(read).toEqual({ ok: true, incident: raw });
});

test("what is no incident file, or one of another version, is told in one sentence and not field by field", () => {
  for (const value of [null, 7, [], {}, { format: "other" }])
    expect(problemsOf(value)).toEqual(['It is no incident file: "format" is not "broomwagon.incident".']);
  expect(problemsOf({ ...rawStall(), version: 2 })).toEqual(["It is of version 2, and this program reads version 1."]);
});

test("every problem is told at once, each with its place and what was expected", () => {
  const raw = rawStall();
  raw.config.lease_ms = 0;
  raw.config.healing = "maybe";
  raw.sync.started_at = "yesterday";
  raw.batches[1].states[0].status = "lost";
  raw.races[3].pending_at = 1.5;
  raw.findings = {};
  raw.quota = null;
  delete raw.log[0].message;
  expect(problemsOf(raw)).toEqual([
    "config.lease_ms: expected a whole number of 1 or more, found 0",
    'config.healing: expected "automatic" or "suggest", found "maybe"',
    'sync.started_at: expected milliseconds since the epoch, found "yesterday"',
    'batches[1].states[0].status: expected "pending" or "processing" or "completed" or "failed" or "cancelled" or "gone", found "lost"',
    "races[3].pending_at: expected milliseconds since the epoch, found 1.5",
    "findings: expected a list, found an object",
    "log[0].message: expected text, found nothing",
    "quota: expected an object, found null",
  ]);
});

test("what contradicts itself is told as well: order, ends, and batches that are not there", () => {
  const raw = rawStall();
  raw.sync.ended_at = null;
  raw.sync.phases = [];
  raw.batches[1].id = raw.batches[0].id;
  raw.batches[2].states.reverse();
  raw.batches[3].states = [];
  raw.races[0].bound[0].batch_id = 999;
  raw.races[1].settled = null;
  expect(problemsOf(raw)).toEqual([
    "sync.ended_at: must be there exactly when the sync is not in progress",
    "sync.phases: must say in which phase it began",
    "batches[1].id: 101 is there twice",
    "batches[2].states[1].at: earlier than the entry before it",
    "batches[2].states[2].at: earlier than the entry before it",
    "batches[3].states: must not be empty",
    "races[0].bound: there is no batch 999",
    "races[1].settled: must be there exactly when settled_at is",
    ...Array.from({ length: 14 }, (_, index) => `races[${index + 15}].bound: there is no batch 102`).concat(
      "races[29].bound: there is no batch 102",
    ),
  ]);
});

test("a value of any length is shown shortly", () => {
  const raw = rawStall();
  raw.sync.status = "x".repeat(500);
  expect(problemsOf(raw)[0]?.length).toBeLessThan(160);
});
