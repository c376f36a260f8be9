import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import { curse } from "./club.ts";
import { findUnheededEvent } from "./event-checks.ts";
import { findEarlyGivingUp } from "./failure-checks.ts";
import { checkFinally } from "./final-checks.ts";
import { restoreDelivery, restoreLimits } from "./happen-at-strava.ts";
import { askApi, athleteAt } from "./happen-by-persons.ts";
import { endRival } from "./happen-on-machine.ts";
import { signIn } from "./happen-to-athletes.ts";
import type { World } from "./world.ts";

/** Once the faults have ended, whatever runs ends within so long, if the quota lets it. */
const QUIET_LIMIT_MS = 3 * DAY_MS;
/** A list that shows no race that is held is believed when another says so an hour later. */
const DOUBT_MS = HOUR_MS + MINUTE_MS;
/** How often somebody tries to sign in, or applies what healing proposes. */
const TRY_EVERY_MS = 20 * MINUTE_MS;

/** All faults end; then everything has to be done in time, and be right. */
export function bringToAnEnd(world: World): void {
  world.diary.note("all is calm");
  calm(world);
  const steps: [string, () => boolean, number][] = [
    ["the daemon is up", () => world.daemon !== undefined && !world.machine.isAsleep(), 13 * HOUR_MS],
    ["nothing is in progress", () => isQuiet(world), QUIET_LIMIT_MS],
    ["everybody is connected", () => areAllConnected(world), 2 * DAY_MS],
    ["nothing is in progress again", () => isQuiet(world), QUIET_LIMIT_MS],
  ];
  for (const [what, isSo, limitMs] of steps) {
    if (!cameAbout(world, what, isSo, limitMs)) return;
    if (what === "nothing is in progress") world.oracle.must(findUnheededEvent(world));
  }
  const lastFull = startFullSyncs(world);
  if (!cameAbout(world, "full syncs end", () => lastFull() && isQuiet(world), QUIET_LIMIT_MS)) return;
  if (isInDoubt(world)) {
    world.runFor(DOUBT_MS);
    const sureFull = startFullSyncs(world);
    if (!cameAbout(world, "full syncs end again", () => sureFull() && isQuiet(world), QUIET_LIMIT_MS)) return;
  }
  world.oracle.must(findEarlyGivingUp(world));
  retryFailures(world);
  if (!cameAbout(world, "what failed is tried again", () => isQuiet(world), QUIET_LIMIT_MS)) return;
  world.runFor(2 * MINUTE_MS);
  // The schedule makes up for a turn that it missed while the clock was wrong.
  if (!cameAbout(world, "what the schedule began ends", () => isQuiet(world), QUIET_LIMIT_MS)) return;
  if (world.oracle.breach !== undefined) return;
  world.await(askApi(world, "GET", "/metrics"));
  world.oracle.must(checkFinally(world));
}

/** Waits for something; where it does not come about in time, that is a breach. */
function cameAbout(world: World, what: string, isSo: () => boolean, limitMs: number): boolean {
  if (persist(world, isSo, limitMs)) return true;
  world.oracle.break("liveness", `It does not come about that ${what}: ${describeOpen(world)}`);
  return false;
}

function calm(world: World): void {
  const { strava, edges, machine } = world;
  strava.clearFaults();
  curse(strava, world.curses);
  strava.releaseHangs();
  strava.otherClient({ share: 0 });
  strava.setCapacity(Number.POSITIVE_INFINITY);
  restoreLimits(world);
  restoreDelivery(world);
  edges.clear();
  machine.setWrong(0);
  endRival(world);
}

/** Waits for something, and meanwhile does what people do who want it to come about. */
function persist(world: World, isSo: () => boolean, limitMs: number): boolean {
  const endMs = world.time.nowMs() + limitMs;
  while (world.time.nowMs() < endMs && world.oracle.breach === undefined) {
    if (isSo()) return true;
    lookAfter(world);
    world.runUntil(isSo, TRY_EVERY_MS);
  }
  return isSo() && world.oracle.breach === undefined;
}

function lookAfter(world: World): void {
  if (world.daemon === undefined || world.machine.isAsleep()) return;
  const { client } = world.file;
  // What comes of it is seen in the rows; who was not heard asks again next time.
  const quietly = (work: Promise<unknown>) => void work.catch(() => {});
  quietly(askApi(world, "POST", "/api/admin/resume"));
  for (const { id } of client
    .query<{ id: number }, []>("SELECT id FROM syncs WHERE status = 'in_progress' AND paused_at_ms IS NOT NULL")
    .all()) {
    quietly(askApi(world, "POST", `/api/admin/syncs/${id}/resume`));
  }
  for (const { id } of client.query<{ id: number }, []>("SELECT id FROM findings WHERE outcome = 'proposed'").all()) {
    quietly(askApi(world, "POST", `/api/admin/health/findings/${id}/apply`));
  }
  if (!isQuiet(world)) return;
  for (const person of world.strava.people()) {
    if (!isConnected(world, person.stravaId)) quietly(signIn(world, person));
  }
}

function isConnected({ file, strava }: World, stravaId: number): boolean {
  const row = file.client
    .query<{ status: string }, [number]>("SELECT status FROM athletes WHERE strava_id = ?1")
    .get(stravaId);
  return (
    row?.status === "connected" && strava.people().some((person) => person.stravaId === stravaId && person.isConnected)
  );
}

const areAllConnected = (world: World): boolean =>
  world.strava.people().every(({ stravaId }) => isConnected(world, stravaId));

function isQuiet({ file, daemon }: World): boolean {
  if (daemon === undefined) return false;
  return (
    file.client
      .query(
        `SELECT 1 WHERE EXISTS (SELECT 1 FROM syncs WHERE status = 'in_progress') OR EXISTS (SELECT 1 FROM strava_events WHERE settled_at_ms IS NULL)
           OR EXISTS (SELECT 1 FROM revocations)`,
      )
      .get() === null
  );
}

/** Whether a list has shown none of the races that are held of somebody. */
const isInDoubt = ({ file }: World): boolean =>
  file.client.query("SELECT 1 FROM athletes WHERE emptied_at_ms IS NOT NULL").get() !== null;

/** @returns whether they have all been started, and have ended. */
function startFullSyncs(world: World): () => boolean {
  const started = new Map<number, number>();
  const failed = new Map<number, number>();
  const start = (place: number): void => {
    const id = athleteAt(world, place);
    if (id === undefined) return;
    askApi(world, "POST", `/api/admin/athletes/${id}/sync`, { mode: "full" }).then(
      (answer) => {
        if (answer?.status === 202) started.set(place, Number((answer.body as { sync_id: string }).sync_id));
        else world.outside.after(MINUTE_MS, () => start(place));
      },
      () => world.outside.after(MINUTE_MS, () => start(place)),
    );
  };
  const places = world.strava.people().map((_, place) => place);
  for (const place of places) start(place);
  const hasCompleted = (place: number): boolean => {
    const id = started.get(place);
    if (id === undefined) return false;
    const row = world.file.client.query<{ status: string }, [number]>("SELECT status FROM syncs WHERE id = ?1").get(id);
    if (row?.status === "in_progress") return false;
    if (row?.status === "completed") return true;
    // Nothing disturbs it, so that it can only have been restarted: once more, and no more.
    if (row?.status === "failed" && !mayHaveLostPair(world, athleteAt(world, place)))
      world.oracle.break("liveness", `Sync ${id} of an athlete whom nothing disturbs has failed`);
    const tries = (failed.get(place) ?? 0) + 1;
    failed.set(place, tries);
    if (tries > 2)
      world.oracle.break(
        "liveness",
        `Sync ${id} of an athlete whom nothing disturbs is ${row?.status}, the third time`,
      );
    started.delete(place);
    start(place);
    return false;
  };
  return () => places.every(hasCompleted);
}

/** Where Strava rotates, a fault may have lost a pair, and only now the old one is refused: the athlete signs in again. */
const mayHaveLostPair = ({ file, plan }: World, athlete: number | undefined): boolean =>
  plan.strava.rotatesTokens &&
  file.client.query("SELECT 1 FROM athletes WHERE id = ?1 AND status = 'needs_reconnect'").get(athlete ?? 0) !== null;

function retryFailures(world: World): void {
  for (const [place] of world.strava.people().entries()) {
    const athlete = athleteAt(world, place);
    const sync = world.file.client
      .query<{ id: number | null }, [number]>("SELECT max(id) AS id FROM syncs WHERE athlete_id = ?1")
      .get(athlete ?? 0)?.id;
    // Of most there is nothing to try again.
    if (sync) void askApi(world, "POST", `/api/admin/syncs/${sync}/retry-failed`).catch(() => {});
  }
  world.runFor(SECOND_MS);
}

function describeOpen({ file }: World): string {
  const syncs = file.client
    .query(
      "SELECT s.id, s.athlete_id, s.phase, s.last_progress_at_ms, (SELECT group_concat(type || ' ' || status || ' ' || run_after_ms || ' ' || ifnull(wait_reason, '')) FROM batches b WHERE b.sync_id = s.id AND b.status IN ('pending', 'processing')) AS live FROM syncs s WHERE s.status = 'in_progress' LIMIT 3",
    )
    .all();
  const athletes = file.client
    .query("SELECT strava_id, status, status_reason FROM athletes WHERE status <> 'connected'")
    .all();
  const events = file.client.query("SELECT count(*) AS open FROM strava_events WHERE settled_at_ms IS NULL").all();
  return JSON.stringify({
    syncs,
    athletes,
    events,
    revocations: file.client.query("SELECT attempts, run_after_ms, error FROM revocations LIMIT 2").all(),
  });
}
