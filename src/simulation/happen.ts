import { happenAtStrava } from "./happen-at-strava.ts";
import { happenByPersons } from "./happen-by-persons.ts";
import { happenOnMachine } from "./happen-on-machine.ts";
import { happenToAthletes } from "./happen-to-athletes.ts";
import type { Happening } from "./plan.ts";
import type { World } from "./world.ts";

/** Makes something happen when its time has come. What cannot be (nobody is there to do it to) does not happen. */
export function happen(world: World, happening: Happening): void {
  const { on } = happening;
  if (on === undefined) happenNow(world, happening);
  else world.edges.set(on.edge, on.nth, () => world.outside.after(0, () => happenNow(world, happening)));
}

function happenNow(world: World, happening: Happening): void {
  const { afterMs, ...told } = happening;
  world.diary.note(`happening ${JSON.stringify(told)}`);
  if (happening.what !== "slow_statement") world.disturbances.happens(happening);
  if (hasComeAbout(world, happening)) world.noteHappened(happening.what);
}

/** @returns whether it has come about; what may only come about later is noted then. */
function hasComeAbout(world: World, happening: Happening): boolean {
  switch (happening.what) {
    case "upload":
    case "edit":
    case "delete":
    case "revoke":
    case "sign_in":
      return happenToAthletes(world, happening);
    case "strava_fault":
    case "spend_quota":
    case "other_client":
    case "other_limits":
    case "token_dies":
    case "capacity":
    case "events_go_astray":
    case "event_flood":
      return happenAtStrava(world, happening);
    case "crash":
    case "stop":
    case "sleep":
    case "wrong_clock":
    case "database_fails":
    case "locked":
    case "slow_statement":
    case "second_process":
      return happenOnMachine(world, happening);
    default:
      happenByPersons(world, happening);
      return false;
  }
}
