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

/** What the file holds, to be spoilt. */
type Raw = ReturnType<typeof rawStall>;

/** What is wrong with the file once somebody has changed it. */
function problemsAfter(change: (raw: Raw) => void): readonly string[] {
  const raw = rawStall();
  change(raw);
  return problemsOf(raw);
}

test.each([
  ["stall_after_discovery_ms", 1],
  ["stall_after_enrichment_ms", 1],
  ["lease_ms", 1],
  ["enrichment_batch_size", 1],
  ["max_attempts", 1],
  ["max_remedies", 0],
  ["concurrency", 1],
  ["health_period_ms", 1],
])("the setting %s is %p at least", (name, least) => {
  const problems = (value: number) =>
    problemsAfter(({ config }) => {
      config[name] = value;
    });
  expect(problems(least)).toEqual([]);
  expect(problems(least - 1)).toEqual([
    `config.${name}: expected a whole number of ${least} or more, found ${least - 1}`,
  ]);
});

const FINDING = {
  id: 1,
  kind: "no_progress",
  batch_id: null,
  began_at: null,
  detected_at: 1,
  message: "Nothing moves.",
  evidence: { idle_ms: 7 },
  remedy: null,
  remedied_at: null,
  outcome: "proposed",
  settled_at: null,
  own_restart: false,
  false_remedy: false,
  trace_id: null,
};

/** Places of the file that hold one of several words, and how to put one there. */
const WORDS: readonly [place: string, words: string, put: (raw: Raw, word: string) => void][] = [
  ["config.healing", "automatic suggest", (raw, word) => Object.assign(raw.config, { healing: word })],
  ["sync.mode", "full incremental", (raw, word) => Object.assign(raw.sync, { mode: word })],
  ["sync.class", "manual event connect schedule", (raw, word) => Object.assign(raw.sync, { class: word })],
  ["sync.status", "completed failed cancelled", (raw, word) => Object.assign(raw.sync, { status: word })],
  ["sync.ended_by", "daemon remedy person unknown", (raw, word) => Object.assign(raw.sync, { ended_by: word })],
  [
    "batches[0].states[0].wait_reason",
    "quota_15min quota_daily quota_reserve strava_unavailable app_inactive backoff",
    (raw, word) => Object.assign(raw.batches[0].states[0], { wait_reason: word }),
  ],
  [
    "batches[0].states[0].lease",
    "renewed fixed none",
    (raw, word) => Object.assign(raw.batches[0].states[0], { lease: word }),
  ],
  [
    "races[0].settled",
    "enriched unavailable failed",
    (raw, word) => Object.assign(raw.races[0], { settled: word, settled_at: raw.exported_at }),
  ],
  [
    "findings[0].outcome",
    "proposed pending verified failed superseded",
    (raw, word) => Object.assign(raw, { findings: [{ ...FINDING, outcome: word }] }),
  ],
  ["log[0].level", "debug info warn error", (raw, word) => Object.assign(raw.log[0], { level: word })],
  [
    "quota.hold.reason",
    "quota_15min quota_daily quota_reserve strava_unavailable app_inactive",
    (raw, word) => Object.assign(raw.quota, { hold: { reason: word, until: 1 } }),
  ],
];

test.each(WORDS)("%s is one of: %s", (place, words, put) => {
  for (const word of words.split(" ")) expect(problemsAfter((raw) => put(raw, word))).toEqual([]);
  for (const word of ["", "whatever"]) {
    const [problem = "none", ...others] = problemsAfter((raw) => put(raw, word));
    expect(others).toEqual([]);
    expect([problem.startsWith(`${place}: expected "`), problem.endsWith(`found "${word}"`)]).toEqual([true, true]);
  }
});

test("a finding is read whole", () => {
  const raw = { ...rawStall(), findings: [FINDING] };
  expect(readIncident(raw)).toEqual({ ok: true, incident: raw });
});

test("one problem, or one contradiction, is enough to refuse a file", () => {
  expect(
    problemsAfter(({ sync }) => {
      sync.requests = "many";
    }),
  ).toHaveLength(1);
  expect(
    problemsAfter(({ sync }) => {
      sync.phases = [];
    }),
  ).toEqual(["sync.phases: must say in which phase it began"]);
});

test("a file without a version is told so", () => {
  expect(
    problemsAfter((raw) => {
      delete raw.version;
    }),
  ).toEqual(["It is of version nothing, and this program reads version 1."]);
});

test("what happened at one moment is in order, and what happened before the entry before is not", () => {
  const lists: readonly [place: string, put: (raw: Raw, ats: readonly number[]) => void][] = [
    ["sync.phases", ({ sync }, ats) => Object.assign(sync, { phases: ats.map((at) => ({ ...sync.phases[0], at })) })],
    ["sync.pauses", ({ sync }, ats) => Object.assign(sync, { pauses: ats.map((at) => ({ at, paused: true })) })],
    [
      "races[0].bound",
      ({ races: [race] }, ats) => Object.assign(race, { bound: ats.map((at) => ({ ...race.bound[0], at })) }),
    ],
    [
      "batches[0].states",
      ({ batches: [batch] }, ats) => Object.assign(batch, { states: ats.map((at) => ({ ...batch.states[0], at })) }),
    ],
  ];
  for (const [place, put] of lists) {
    expect(problemsAfter((raw) => put(raw, [0, 5, 5, 6]))).toEqual([]);
    expect(problemsAfter((raw) => put(raw, [0, 5, 4]))).toEqual([`${place}[2].at: earlier than the entry before it`]);
  }
});

test("a sync starts before the file is written, and ends after it started", () => {
  const { exported_at: exportedAt, sync } = rawStall();
  const startedAt = (at: number) =>
    problemsAfter((raw) => Object.assign(raw.sync, { started_at: at, ended_at: exportedAt + 9 }));
  expect([startedAt(exportedAt - 1), startedAt(exportedAt)]).toEqual([[], []]);
  expect(startedAt(exportedAt + 1)).toEqual(["sync.started_at: later than exported_at"]);
  const endedAt = (at: number) => problemsAfter((raw) => Object.assign(raw.sync, { ended_at: at }));
  expect([endedAt(sync.started_at + 1), endedAt(sync.started_at)]).toEqual([[], []]);
  expect(endedAt(sync.started_at - 1)).toEqual(["sync.ended_at: before sync.started_at"]);
});
