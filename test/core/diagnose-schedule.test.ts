import { expect, test } from "bun:test";
import { diagnoseSchedule, type JobTurns } from "../../src/core/diagnose-schedule.ts";
import { epochMs, MINUTE_MS, plusMs } from "../../src/core/units.ts";

const NOW = epochMs(Date.UTC(2025, 10, 17, 12));
const job = (values: Partial<JobTurns> = {}): JobTurns => ({
  job: "keep-terms",
  catchUp: "once",
  nextRunAtMs: plusMs(NOW, MINUTE_MS),
  turnsMissed: 0,
  runningSinceMs: null,
  ...values,
});
const kindOf = (...jobs: JobTurns[]) => diagnoseSchedule(jobs, NOW)?.kind;

test("a schedule whose turns are taken is not overdue, nor is a job that has none or runs right now", () => {
  expect(kindOf()).toBeUndefined();
  expect(
    kindOf(job(), job({ nextRunAtMs: null }), job({ runningSinceMs: plusMs(NOW, -59 * MINUTE_MS) })),
  ).toBeUndefined();
});

test("a job that makes up for its turns may miss none; one that skips them, two in a row", () => {
  const runningSinceMs = plusMs(NOW, -90 * MINUTE_MS);
  expect(kindOf(job({ turnsMissed: 1, runningSinceMs }))).toBe("schedule_overdue");
  expect(kindOf(job({ catchUp: "skip", turnsMissed: 2, runningSinceMs }))).toBeUndefined();
  expect(kindOf(job({ catchUp: "skip", turnsMissed: 3, runningSinceMs }))).toBe("schedule_overdue");
});

test("a turn that nobody took is late after two minutes, and not before", () => {
  expect(kindOf(job({ nextRunAtMs: plusMs(NOW, -2 * MINUTE_MS) }))).toBeUndefined();
  expect(diagnoseSchedule([job({ nextRunAtMs: plusMs(NOW, -2 * MINUTE_MS - 1) })], NOW)).toEqual({
    kind: "schedule_overdue",
    beganAtMs: plusMs(NOW, -2 * MINUTE_MS - 1),
    evidence: { jobs: "keep-terms", turns_missed: 0, running_since_ms: null, turn_at_ms: NOW - 2 * MINUTE_MS - 1 },
    message: "The job keep-terms has missed a turn: nobody took it.",
    remedy: { do: "run_jobs", jobs: ["keep-terms"] },
  });
});

test("all that are overdue are one finding, since when the first is, with the reason of the first", () => {
  const [one, other] = [plusMs(NOW, -90 * MINUTE_MS), plusMs(NOW, -100 * MINUTE_MS)];
  expect(
    diagnoseSchedule(
      [
        job({ turnsMissed: 1, runningSinceMs: one }),
        job({ job: "fine" }),
        job({ job: "prune-history", turnsMissed: 4, runningSinceMs: other }),
      ],
      NOW,
    ),
  ).toMatchObject({
    beganAtMs: other,
    evidence: { jobs: "keep-terms, prune-history", turns_missed: 5, running_since_ms: one },
    message:
      "The jobs keep-terms, prune-history have missed a turn: the run that began at 2025-11-17T10:30:00.000Z has not ended, and 1 turns have come since.",
    remedy: { do: "run_jobs", jobs: ["keep-terms", "prune-history"] },
  });
});

test("a turn that was missed while nothing ran began now, and a run that goes on is not the reason for a turn nobody took", () => {
  expect(diagnoseSchedule([job({ turnsMissed: 1 })], NOW)).toMatchObject({
    beganAtMs: NOW,
    message: "The job keep-terms has missed a turn: nobody took it.",
  });
  const late = job({ nextRunAtMs: plusMs(NOW, -9 * MINUTE_MS), runningSinceMs: plusMs(NOW, -MINUTE_MS) });
  expect(diagnoseSchedule([late], NOW)).toMatchObject({
    beganAtMs: plusMs(NOW, -9 * MINUTE_MS),
    message: "The job keep-terms has missed a turn: nobody took it.",
  });
});
