import type { DetailedActivity } from "../core/activity.ts";
import { type AfterFailedTry, afterFailedTry } from "../core/enrichment.ts";
import { type Fault, isRetryable } from "../core/fault.ts";
import { isRace } from "../core/race.ts";
import { readAthlete } from "../db/athletes.ts";
import { storeNotFound } from "../db/missing-races.ts";
import { type RaceToEnrich, readRacesOfBatch, storeDetail, storeNoDetail, withdrawIfHeld } from "../db/races.ts";
import type { SyncContext } from "./context.ts";
import { finishRun } from "./end-run.ts";
import { type Answer, askStrava } from "./requests/ask-strava.ts";
import type { Run, RunResult } from "./run.ts";
import { createRunTally, type RunTally } from "./run-tally.ts";

/**
 * Runs one enrichment batch: asks for the detail of each of its races, side by side as far as the governor lets them
 * out, and commits each as it arrives. The commit that settles the last race ends the batch as well.
 */
export async function enrichRaces(context: SyncContext, run: Run): Promise<RunResult> {
  const athlete = readAthlete(context.db, run.athleteId);
  if (athlete === undefined) return { result: "reconnect", reason: "The athlete's row is gone.", refused: undefined };
  const races = readRacesOfBatch(context.db, { id: run.batchId, athleteId: run.athleteId });
  if (races.length === 0) return endEmpty(context, run);
  const work: Work = {
    run,
    tally: createRunTally(context, run),
    athleteStravaId: athlete.stravaId,
    unsettled: races.length,
    stopped: undefined,
    lastError: undefined,
  };
  await Promise.all(races.map((race) => enrichRace(context, work, race)));
  if (work.stopped !== undefined) return work.stopped;
  if (work.unsettled === 0) return { result: "ended" };
  return work.lastError === undefined
    ? { result: "released", why: "it was called off" }
    : { result: "error", error: work.lastError };
}

/** What the races of one run share. */
type Work = {
  readonly run: Run;
  readonly tally: RunTally;
  readonly athleteStravaId: number;
  /** Races that are still pending. */
  unsettled: number;
  /** Why no further race of this run is asked for. */
  stopped: RunResult | undefined;
  /** The newest failed try. */
  lastError: string | undefined;
};

/** Never rejects: were one race's trouble to end the run early, the others would be asked for in vain. */
async function enrichRace(context: SyncContext, work: Work, race: RaceToEnrich): Promise<void> {
  try {
    await askAndCommit(context, work, race);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    work.stopped ??= { result: "error", error: `Unexpected: ${message}` };
  }
  if (work.stopped !== undefined) work.run.callOffUnsent();
}

async function askAndCommit(context: SyncContext, work: Work, race: RaceToEnrich): Promise<void> {
  const { run } = work;
  if (work.stopped !== undefined || run.unsent.aborted) return;
  const answer = await askStrava(context, run, {
    name: "strava.get_activity",
    phase: "enrichment",
    item: `activity ${race.stravaActivityId}`,
    isLastTry: race.attempts + 1 >= context.rules.maxAttempts,
    attributes: { "broomwagon.race.id": race.id },
    send: (strava, accessToken) => strava.getActivity(accessToken, race.stravaActivityId, run.signal),
  });
  switch (answer.got) {
    case "value":
      return commitAnswer(context, work, race, answer);
    case "fault":
      return commitAnswer(context, work, race, answer);
    case "hold":
      work.stopped ??= { result: "wait", reason: answer.hold.reason, untilMs: answer.hold.untilMs };
      return;
    case "reconnect":
      work.stopped = { result: "reconnect", reason: answer.reason, refused: answer.refused };
      return;
    case "trouble":
      work.stopped ??= { result: "error", error: answer.error };
      return;
    case "crowded_out":
      work.stopped ??= { result: "released", why: "no request of it found a place" };
      return;
    case "called_off":
      work.stopped ??= { result: "released", why: "it was called off" };
      return;
    default:
      return answer satisfies never;
  }
}

async function commitAnswer(
  context: SyncContext,
  work: Work,
  race: RaceToEnrich,
  answer: Extract<Answer<DetailedActivity>, { got: "value" | "fault" }>,
): Promise<void> {
  const span = context.tracer.startSpan("db.store_detail", { parent: work.run.span });
  try {
    const isHeld = await context.commits.soon(() => settleRace(context, work, race, answer));
    if (!isHeld) work.stopped = { result: "lease_lost" };
  } finally {
    span.end();
  }
}

/** One race's result, fenced by the lease. False when it is lost: then nothing is written. */
function settleRace(
  context: SyncContext,
  work: Work,
  race: RaceToEnrich,
  answer: Extract<Answer<DetailedActivity>, { got: "value" | "fault" }>,
): boolean {
  const { run, tally } = work;
  if (!tally.isHeld()) return false;
  const settled = answer.got === "value" ? judgeDetail(work, answer.value) : judgeFault(context, race, answer.fault);
  storeSettled(context, run, race, settled);
  tally.add({ racesEnriched: settled.as === "enriched" ? 1 : 0, racesFailed: settled.as === "failed" ? 1 : 0 });
  if (settled.as === "retry") {
    work.lastError = settled.error;
    return true;
  }
  if (!isLastToSettle(context, work)) return true;
  tally.write();
  return finishRun(context, run, { how: "done" });
}

/** Settles one more race, and tells whether it was the last. */
function isLastToSettle({ commits }: SyncContext, work: Work): boolean {
  work.unsettled--;
  commits.ifUndone(() => {
    work.unsettled++;
  });
  return work.unsettled === 0;
}

type Settled = { as: "enriched"; activity: DetailedActivity } | { as: "unavailable" } | AfterFailedTry;

function judgeDetail(work: Work, activity: DetailedActivity): Settled {
  if (activity.athleteStravaId === work.athleteStravaId) return { as: "enriched", activity };
  return { as: "failed", attempts: 1, error: "Strava's answer belongs to another athlete, so nothing of it was kept." };
}

function judgeFault(context: SyncContext, race: RaceToEnrich, fault: Fault): Settled {
  if (fault.kind === "not_found") return { as: "unavailable" };
  if (!isRetryable(fault)) return { as: "failed", attempts: race.attempts + 1, error: fault.message };
  return afterFailedTry(race.attempts, context.rules.maxAttempts, fault.message);
}

function storeSettled(context: SyncContext, run: Run, race: RaceToEnrich, settled: Settled): void {
  const { db, clock, rules } = context;
  const nowMs = clock.nowMs();
  const key = { id: race.id, batchId: run.batchId };
  switch (settled.as) {
    case "enriched": {
      const { activity } = settled;
      if (!storeDetail(db, { ...key, syncId: run.syncId, activity, nowMs })) return;
      if (!isRace(activity, rules))
        withdrawIfHeld(db, run.athleteId, activity.stravaActivityId, nowMs, "no longer tagged as a race");
      return;
    }
    case "unavailable":
      storeNotFound(db, { ...key, syncId: run.syncId, nowMs });
      return;
    case "retry":
      storeNoDetail(db, { ...key, enrichment: "pending", error: settled.error, attempts: settled.attempts });
      return;
    case "failed":
      storeNoDetail(db, { ...key, enrichment: "failed", error: settled.error, attempts: settled.attempts });
      return;
    default:
      settled satisfies never;
  }
}

async function endEmpty(context: SyncContext, run: Run): Promise<RunResult> {
  const isHeld = await context.commits.soon(() => finishRun(context, run, { how: "done" }));
  return isHeld ? { result: "ended" } : { result: "lease_lost" };
}
