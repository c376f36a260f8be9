import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxActivity } from "./activity.ts";
import { SANDBOX_CLUB_ID } from "./athlete-clubs.ts";
import type { Member } from "./club.ts";

/** A folder of recorded traffic: each `*.json` an array of `{request: {method, path}, response: {status, headers, body}}`. */
export type Recording = {
  readonly folder: string;
  /** `read,activity:read_all` unless given. */
  readonly scope?: string;
};

/** A folder that holds no recorded list of activities. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/**
 * Reads every recorded page of an activity list, whatever its size, into the athletes that they belong to. Other
 * requests and files of another format are passed over; an activity recorded twice counts once.
 * @throws RecordingError when nothing is left, with the folder in its message
 */
export function readRecording({ folder, scope = "read,activity:read_all" }: Recording): Member[] {
  const byAthlete = new Map<number, Map<number, SandboxActivity>>();
  for (const activity of listedActivities(folder)) {
    const activities = byAthlete.get(activity.athlete.id) ?? new Map<number, SandboxActivity>();
    activities.set(activity.id, activity);
    byAthlete.set(activity.athlete.id, activities);
  }
  if (byAthlete.size === 0) {
    throw new RecordingError(
      `${folder} holds no recorded page of GET /athlete/activities: name a folder of recordings`,
    );
  }
  return [...byAthlete].map(([stravaId, activities], index) => ({
    stravaId,
    firstName: "Recorded",
    lastName: `Athlete ${index + 1}`,
    scope,
    isConnected: true,
    clubs: [SANDBOX_CLUB_ID],
    activities: [...activities.values()].map((activity) => ({ activity, detail: {} })),
  }));
}

function listedActivities(folder: string): SandboxActivity[] {
  const names = readFolder(folder).filter((name) => name.endsWith(".json"));
  return names.sort().flatMap((name) => {
    const exchanges: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
    return Array.isArray(exchanges) ? exchanges.flatMap(listedIn) : [];
  });
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new RecordingError(`cannot read the folder of recordings ${folder}`, { cause });
  }
}

function listedIn(exchange: unknown): SandboxActivity[] {
  const { request, response } = (exchange ?? {}) as Partial<Exchange>;
  const isList = request?.method === "GET" && /\/athlete\/activities(\?|$)/.test(request.path ?? "");
  if (!isList || response?.status !== 200 || !Array.isArray(response.body)) return [];
  return response.body.filter(isActivity);
}

type Exchange = {
  request: { method?: string; path?: string };
  response: { status?: number; body?: unknown };
};

/** Enough of a look to serve it: the rest is passed on as it was recorded. */
function isActivity(value: unknown): value is SandboxActivity {
  const { id, athlete, start_date } = (value ?? {}) as Partial<SandboxActivity>;
  return Number.isSafeInteger(id) && Number.isSafeInteger(athlete?.id) && Number.isFinite(Date.parse(start_date ?? ""));
}
