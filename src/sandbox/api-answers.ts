import type { EpochMs } from "../core/units.ts";
import { type ActivityPatch, toStravaJson } from "./activity.ts";
import { readListQuery, selectPage } from "./activity-list.ts";
import type { ActivityStore } from "./activity-store.ts";
import { type Answer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import type { AthleteClubs } from "./athlete-clubs.ts";
import { summariseAthlete } from "./athlete-summary.ts";
import type { Call } from "./call.ts";
import {
  ACCESS_TOKEN_INVALID,
  badRequest,
  PATH_INVALID,
  READ_PERMISSION_MISSING,
  WRITE_PERMISSION_MISSING,
} from "./strava-errors.ts";
import type { Access, TokenGrants } from "./token-grants.ts";
import { notFoundAnswer, type Wording } from "./wording.ts";

export type ApiWorld = {
  readonly truth: ActivityStore;
  readonly grants: TokenGrants;
  readonly clubs: AthleteClubs;
  readonly wording: Wording;
  readonly beforeInclusive: boolean;
  readonly refuseFutureBefore: boolean;
  readonly nowMs: EpochMs;
};

/** Answers a call to /api/v3 as the athlete behind the token sees it. */
export function answerApi(call: Call, access: Access | undefined, world: ApiWorld): Answer {
  if (access === undefined) return jsonAnswer(401, ACCESS_TOKEN_INVALID);
  switch (call.kind) {
    case "list":
      return answerList(call, access, world);
    case "detail":
      return answerDetail(call, access, world);
    case "athlete":
      return jsonAnswer(200, summariseAthlete(access.stravaId, world.grants));
    case "clubs":
      return answerClubs(call, access, world);
    case "upload":
      return answerUpload(call, access, world);
    default:
      return jsonAnswer(404, PATH_INVALID);
  }
}

function answerList(call: Call, { stravaId, scopes }: Access, world: ApiWorld): Answer {
  if (!mayRead(scopes)) return jsonAnswer(401, READ_PERMISSION_MISSING);
  const reading = readListQuery(call.search, world);
  if (reading.outcome === "refused") return jsonAnswer(400, badRequest("Activity", reading.field, "invalid"));
  const slots = world.truth.slots(stravaId, { onlyMe: scopes.has("activity:read_all") });
  // Each on its own: the slow way that a bigint needs is then not taken by the whole page.
  const activities = selectPage(slots, reading.query, world.beforeInclusive).map(toStravaJson);
  return jsonTextAnswer(200, `[${activities.join(",")}]`);
}

function answerDetail(call: Call, { stravaId, scopes }: Access, world: ApiWorld): Answer {
  if (!mayRead(scopes)) return jsonAnswer(401, READ_PERMISSION_MISSING);
  const activity = call.activityId === undefined ? undefined : world.truth.find(call.activityId);
  const isSeen =
    activity !== undefined &&
    activity.athlete.id === stravaId &&
    (activity.visibility !== "only_me" || scopes.has("activity:read_all"));
  return isSeen ? jsonAnswer(200, world.truth.detail(activity.id)) : notFoundAnswer(world.wording);
}

function answerClubs(call: Call, { stravaId }: Access, world: ApiWorld): Answer {
  const reading = readListQuery(call.search, world);
  if (reading.outcome === "refused") return jsonAnswer(400, badRequest("Club", reading.field, "invalid"));
  return jsonAnswer(200, world.clubs.page(stravaId, reading.query));
}

/** Enough of POST /activities to be counted by its own rule, and to be used by a client of the same application. */
function answerUpload(call: Call, { stravaId, scopes }: Access, world: ApiWorld): Answer {
  if (!scopes.has("activity:write")) return jsonAnswer(401, WRITE_PERMISSION_MISSING);
  if (/\/uploads(\?|$)/.test(call.path)) return jsonAnswer(400, badRequest("Upload", "file", "missing"));
  const fields = typeof call.json === "object" && call.json !== null ? (call.json as ActivityPatch) : {};
  const activity = world.truth.add(stravaId, { ...MANUAL, ...fields }, world.nowMs);
  return jsonAnswer(201, world.truth.detail(activity.id));
}

const MANUAL: ActivityPatch = { manual: true, upload_id: null, upload_id_str: undefined, external_id: null };

function mayRead(scopes: ReadonlySet<string>): boolean {
  return scopes.has("activity:read") || scopes.has("activity:read_all");
}
