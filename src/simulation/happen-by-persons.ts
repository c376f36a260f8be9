import { MINUTE_MS } from "../core/units.ts";
import { ADMIN_TOKEN, PUBLIC_URL } from "./daemon-process.ts";
import { checkBooks } from "./final-checks.ts";
import { actByHand } from "./hand.ts";
import { personAt } from "./happen-to-athletes.ts";
import type { PersonsDeed } from "./plan.ts";
import type { World } from "./world.ts";

/** What people do: through the API, or with a shell. Whoever finds the daemon down leaves it at that. */
export function happenByPersons(world: World, deed: PersonsDeed): void {
  switch (deed.what) {
    case "start_sync": {
      const id = athleteAt(world, deed.athlete);
      const { mode, restart } = deed;
      if (id !== undefined) ask(world, deed.what, "POST", `/api/admin/athletes/${id}/sync`, { mode, restart });
      return;
    }
    case "pause_sync": {
      const id = runningSyncAt(world, deed.athlete);
      if (id === undefined) return;
      ask(world, deed.what, "POST", `/api/admin/syncs/${id}/pause`);
      world.outside.after(deed.forMs, () => ask(world, "resume_sync", "POST", `/api/admin/syncs/${id}/resume`));
      return;
    }
    case "cancel_sync": {
      const id = runningSyncAt(world, deed.athlete);
      if (id !== undefined) ask(world, deed.what, "POST", `/api/admin/syncs/${id}/cancel`);
      return;
    }
    case "retry_failed": {
      const id = lastSyncAt(world, deed.athlete);
      if (id !== undefined) ask(world, deed.what, "POST", `/api/admin/syncs/${id}/retry-failed`);
      return;
    }
    case "erase_athlete": {
      const id = athleteAt(world, deed.athlete);
      world.mayBeErased ||= id !== undefined;
      if (id !== undefined) ask(world, deed.what, "DELETE", `/api/admin/athletes/${id}`);
      return;
    }
    case "edit_race":
      editRace(world, deed);
      return;
    case "change_thresholds": {
      const ms = deed.minutes === null ? null : deed.minutes * MINUTE_MS;
      ask(world, deed.what, "PATCH", "/api/admin/thresholds", {
        stall_after_discovery_ms: ms,
        stall_after_enrichment_ms: ms,
      });
      return;
    }
    case "pause_daemon":
      ask(world, deed.what, "POST", "/api/admin/pause");
      world.outside.after(deed.forMs, () => ask(world, "resume_daemon", "POST", "/api/admin/resume"));
      return;
    case "check_health":
      ask(world, deed.what, "POST", "/api/admin/health/check", {});
      return;
    case "hand":
      changeRows(world, deed);
      for (let time = 1; time <= (deed.again?.times ?? 0); time++) {
        world.outside.after(time * (deed.again?.everyMs ?? 0), () => changeRows(world, deed));
      }
      return;
    default:
      deed satisfies never;
  }
}

/** Asks the API as an admin does. @returns the answer, if the daemon lives to give it. */
export async function askApi(
  world: World,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown } | undefined> {
  const { daemon } = world;
  if (daemon === undefined || world.machine.isAsleep()) return undefined;
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
  const request = new Request(`${PUBLIC_URL}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await daemon.call(request);
  const text = await answer.text();
  world.diary.note(`${method} ${path}: ${answer.status}`);
  if (path === "/metrics") world.overheard.hear("metric", text);
  if (answer.status >= 400) world.overheard.hear("error", text);
  return { status: answer.status, body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text };
}

/** Asks as an admin does, for the sake of a deed: it has come about when the daemon says so. */
function ask(world: World, what: string, method: string, path: string, body?: unknown): void {
  askApi(world, method, path, body).then(
    (answer) => {
      if (answer !== undefined && answer.status < 300) world.noteHappened(what);
      // 500 is a bug, unless the database was made to fail; 503 says that it is locked or full.
      if (answer?.status === 500) world.oracle.sawServerError(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    },
    (error: unknown) => world.oracle.sawServerError(`${method} ${path}: ${String(error)}`),
  );
}

/** The row of the athlete at a place of the club. */
export function athleteAt(world: World, place: number): number | undefined {
  const { stravaId } = personAt(world, place);
  return idOf(world, "SELECT id FROM athletes WHERE strava_id = ?1", stravaId);
}

/** The sync of the athlete at a place of the club, or, where none is in progress, another that is. */
function runningSyncAt(world: World, place: number): number | undefined {
  const athlete = athleteAt(world, place) ?? 0;
  return idOf(
    world,
    "SELECT id FROM syncs WHERE status = 'in_progress' ORDER BY athlete_id <> ?1, id LIMIT 1",
    athlete,
  );
}

/** The last sync of the athlete at a place of the club, or, where another's has left something failed, that one. */
function lastSyncAt(world: World, place: number): number | undefined {
  return idOf(
    world,
    `SELECT s.id FROM syncs s WHERE s.status <> 'in_progress'
     ORDER BY EXISTS (SELECT 1 FROM races r WHERE r.settled_in_sync_id = s.id AND r.enrichment = 'failed') DESC, s.athlete_id <> ?1, s.id DESC LIMIT 1`,
    athleteAt(world, place) ?? 0,
  );
}

function idOf(world: World, sql: string, value: number): number | undefined {
  return world.file.client.query<{ id: number | null }, [number]>(sql).get(value)?.id ?? undefined;
}

function editRace(world: World, { race, isHidden }: Extract<PersonsDeed, { what: "edit_race" }>): void {
  const ids = world.file.client.query<{ id: number }, []>("SELECT id FROM races ORDER BY id").all();
  const id = ids[race % Math.max(1, ids.length)]?.id;
  if (id === undefined) return;
  const edit = { name: `By hand ${race}`, hidden: isHidden };
  askApi(world, "PATCH", `/api/admin/races/${id}`, edit).then(
    (answer) => {
      if (answer?.status !== 200) return;
      world.noteHappened("edit_race");
      world.oracle.edited(id, edit);
    },
    () => {},
  );
}

/** Nobody's script runs on once all is to be calm. */
function changeRows(world: World, { deed, nth }: Extract<PersonsDeed, { what: "hand" }>): void {
  if (world.time.nowMs() > world.plan.startMs + world.plan.durationMs) return;
  world.oracle.lookAtBatches();
  // What the daemon has written by itself proves nothing more once a hand has written, too.
  if (!world.disturbances.was("rows_by_hand") && world.daemon !== undefined) world.oracle.must(checkBooks(world));
  const changed = actByHand(world.file.client, deed, { nth, nowMs: world.machine.clock.nowMs() });
  world.diary.note(`the hand changed ${changed} rows`);
  if (changed === 0) return;
  world.noteHappened("hand");
  world.disturbances.handActed();
  world.file.forgetRevived();
  world.oracle.handActed();
}
