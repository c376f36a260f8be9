import type { DetailedActivity } from "../core/activity.ts";
import type { Clock, EpochSeconds, Fetch } from "../core/units.ts";
import { ask, type Line } from "./exchange.ts";
import { createOAuthCalls } from "./oauth.ts";
import { type Parsed, parseJson } from "./raw-json.ts";
import type { ActivityPage, ClubPage, Reply } from "./reply.ts";
import { createSubscriptionCalls } from "./subscriptions.ts";
import { parseActivity, parseActivityPage } from "./wire.ts";
import { parseClubPage } from "./wire-oauth.ts";

export type StravaClientOptions = {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Where the API is, `https://www.strava.com/api/v3`: the host changes in 2027, so it is never a constant here. */
  readonly apiUrl: string;
  /** Where authorize, token and revoke are, `https://www.strava.com/oauth`. */
  readonly oauthUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** For one request, from sending to the last byte. */
  readonly timeoutMs: number;
};

/** Which activities of the list: those that started before `beforeSeconds`; a time in Strava's future may be refused (400). */
export type ActivityListQuery = {
  readonly beforeSeconds?: EpochSeconds | undefined;
  /** From 1. */
  readonly page: number;
  /** Strava gives 200 at most. */
  readonly perPage: number;
};

export type StravaClient = ReturnType<typeof createStravaClient>;

/**
 * Talks to Strava: one method a request, each bounded in time and size, each answered with a value. No method throws
 * or rejects for anything that Strava, the network or the caller's signal does.
 *
 * Tokens travel in the Authorization header; only the two OAuth endpoints, which define it so, get one in a form.
 * The client keeps no state: it knows neither quota nor athletes, and never tries again by itself.
 * @throws TypeError at once when a URL cannot be parsed.
 */
export function createStravaClient(options: StravaClientOptions) {
  const line: Line = options;
  const apiUrl = normalizeUrl(options.apiUrl);

  return {
    /**
     * Lists one page of the activities that the token can see; newest first. Take the order as a hint. A short page is not the
     * last one, an empty one (`rawCount` 0) is.
     * @see https://developers.strava.com/docs/reference/#api-Activities-getLoggedInAthleteActivities
     */
    listActivities(accessToken: string, query: ActivityListQuery, signal: AbortSignal): Promise<Reply<ActivityPage>> {
      return ask(
        line,
        {
          asked: "api",
          method: "GET",
          url: `${apiUrl}/athlete/activities?${formatListQuery(query)}`,
          headers: bearer(accessToken),
          maxBytes: MAX_LIST_BYTES,
          read: readActivityPage,
        },
        signal,
      );
    },

    /**
     * Fetches one activity. The answer is that activity or a fault; whose it is, `athleteStravaId` says and the caller
     * judges.
     * @see https://developers.strava.com/docs/reference/#api-Activities-getActivityById
     */
    getActivity(accessToken: string, activityId: number, signal: AbortSignal): Promise<Reply<DetailedActivity>> {
      return ask(
        line,
        {
          asked: "api",
          method: "GET",
          url: `${apiUrl}/activities/${activityId}`,
          headers: bearer(accessToken),
          maxBytes: MAX_DETAIL_BYTES,
          read: (text) => readActivity(text, activityId),
        },
        signal,
      );
    },

    /**
     * Asks who the athlete is: the neutral question, which hangs on no list and no activity. Nothing of the answer is kept.
     * @see https://developers.strava.com/docs/reference/#api-Athletes-getLoggedInAthlete
     */
    getAthlete(accessToken: string, signal: AbortSignal): Promise<Reply<"known">> {
      return ask(
        line,
        {
          asked: "api",
          method: "GET",
          url: `${apiUrl}/athlete`,
          headers: bearer(accessToken),
          maxBytes: MAX_ATHLETE_BYTES,
          read: (text) => {
            const body = parseJson(text);
            return body.ok ? { ok: true, value: "known" } : body;
          },
        },
        signal,
      );
    },

    /**
     * Lists one page of the clubs that the token's athlete is a member of. A short page is not the last one, an empty one is.
     * @see https://developers.strava.com/docs/reference/#api-Clubs-getLoggedInAthleteClubs
     */
    listClubs(accessToken: string, page: number, signal: AbortSignal): Promise<Reply<ClubPage>> {
      return ask(
        line,
        {
          asked: "api",
          method: "GET",
          url: `${apiUrl}/athlete/clubs?page=${page}&per_page=${CLUBS_A_PAGE}`,
          headers: bearer(accessToken),
          maxBytes: MAX_LIST_BYTES,
          read: readClubPage,
        },
        signal,
      );
    },

    ...createOAuthCalls(line, { ...options, oauthUrl: normalizeUrl(options.oauthUrl) }),
    ...createSubscriptionCalls(line, { ...options, apiUrl }),
  };
}

// A list page of 200 is about 400 kB, a detail with many segment efforts about 1 MB: far above what is real, far below
// what would hurt.
const MAX_LIST_BYTES = 20_000_000;
const MAX_DETAIL_BYTES = 5_000_000;
const MAX_ATHLETE_BYTES = 1_000_000;

/** As many as Strava gives: most athletes are in a handful of clubs. */
const CLUBS_A_PAGE = 200;

const bearer = (accessToken: string) => ({ accept: "application/json", authorization: `Bearer ${accessToken}` });

const normalizeUrl = (url: string): string => new URL(url).href.replace(/\/+$/, "");

/** Strava has answered 400 to an empty `before`: what is not given is left out. */
function formatListQuery(query: ActivityListQuery): string {
  let text = `page=${query.page}&per_page=${query.perPage}`;
  if (query.beforeSeconds !== undefined) text += `&before=${query.beforeSeconds}`;
  return text;
}

function readActivityPage(text: string): Parsed<ActivityPage> {
  const body = parseJson(text);
  return body.ok ? parseActivityPage(body.value) : body;
}

function readClubPage(text: string): Parsed<ClubPage> {
  const body = parseJson(text);
  return body.ok ? parseClubPage(body.value) : body;
}

function readActivity(text: string, activityId: number): Parsed<DetailedActivity> {
  const body = parseJson(text);
  const parsed = body.ok ? parseActivity(body.value) : body;
  if (parsed.ok && parsed.value.stravaActivityId !== activityId) {
    return { ok: false, reason: "it is another activity than the one asked for" };
  }
  return parsed;
}
