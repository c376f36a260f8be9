import type { DetailedActivity } from "../core/activity.ts";
import type { Clock, EpochSeconds, Fetch } from "../core/units.ts";
import { SECOND_MS } from "../core/units.ts";
import { ask, type Line } from "./exchange.ts";
import type { ActivityPage, Reply, TokenGrant } from "./reply.ts";
import { type Parsed, parseActivity, parseActivityPage, parseTokenGrant } from "./wire.ts";

export type StravaClientOptions = {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Where the API is, `https://www.strava.com/api/v3`: the host changes in 2027, so it is never a constant here. */
  readonly apiUrl: string;
  /** Where token and revoke are, `https://www.strava.com/oauth`. */
  readonly oauthUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** For one request, from sending to the last byte. */
  readonly timeoutMs: number;
};

/** Which activities of the list: those that started before `beforeSeconds`, and after `afterSeconds`. */
export type ActivityListQuery = {
  readonly beforeSeconds?: EpochSeconds | undefined;
  readonly afterSeconds?: EpochSeconds | undefined;
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
  const oauthUrl = normalizeUrl(options.oauthUrl);

  return {
    /**
     * Lists one page of the activities that the token can see; newest first, but for `afterSeconds` alone: then oldest
     * first. Take the order as a hint. A short page is not the last one, an empty one (`rawCount` 0) is.
     * @see https://developers.strava.com/docs/reference/#api-Activities-getLoggedInAthleteActivities
     */
    listActivities(accessToken: string, query: ActivityListQuery, signal: AbortSignal): Promise<Reply<ActivityPage>> {
      return ask(
        line,
        {
          asked: "api",
          method: "GET",
          url: `${apiUrl}/athlete/activities?${formatListQuery(query, options.clock)}`,
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
          maxBytes: MAX_OAUTH_BYTES,
          read: (text) => {
            const body = parseJson(text);
            return body.ok ? { ok: true, value: "known" } : body;
          },
        },
        signal,
      );
    },

    /**
     * Trades a refresh token for an access token; with more than an hour left, Strava gives the same one again. The
     * refresh token in the answer may differ, and then the one that was sent is dead at once: store it before use.
     * @see https://developers.strava.com/docs/authentication/#refreshing-expired-access-tokens
     */
    refreshToken(refreshToken: string, signal: AbortSignal): Promise<Reply<TokenGrant>> {
      return ask(
        line,
        {
          asked: "oauth",
          method: "POST",
          url: `${oauthUrl}/token`,
          headers: ACCEPT_JSON,
          body: new URLSearchParams({
            client_id: options.clientId,
            client_secret: options.clientSecret,
            grant_type: "refresh_token",
            refresh_token: refreshToken,
          }),
          maxBytes: MAX_OAUTH_BYTES,
          read: (text) => {
            const body = parseJson(text);
            return body.ok ? parseTokenGrant(body.value, { refreshToken, nowMs: options.clock.nowMs() }) : body;
          },
        },
        signal,
      );
    },

    /**
     * Ends the grant that a token belongs to, by its access or its refresh token; a token that Strava does not know
     * counts as revoked. Where /oauth/revoke is not there (404, 405), the older /oauth/deauthorize is asked: it takes
     * access tokens only, and is the one of the two that costs quota. The reply is that of the request asked last.
     */
    async revoke(token: string, signal: AbortSignal): Promise<Reply<"revoked">> {
      const question = { asked: "oauth", method: "POST", maxBytes: MAX_OAUTH_BYTES, read: readRevoked } as const;
      const credentials = btoa(`${encodeURIComponent(options.clientId)}:${encodeURIComponent(options.clientSecret)}`);
      const reply = await ask(
        line,
        {
          ...question,
          url: `${oauthUrl}/revoke`,
          headers: { ...ACCEPT_JSON, authorization: `Basic ${credentials}` },
          body: new URLSearchParams({ token }),
        },
        signal,
      );
      if (reply.status !== 404 && reply.status !== 405) return reply;
      return ask(line, { ...question, asked: "api", url: `${oauthUrl}/deauthorize`, headers: bearer(token) }, signal);
    },
  };
}

// A list page of 200 is about 400 kB, a detail with many segment efforts about 1 MB: far above what is real, far below
// what would hurt.
const MAX_LIST_BYTES = 20_000_000;
const MAX_DETAIL_BYTES = 5_000_000;
const MAX_OAUTH_BYTES = 1_000_000;

const ACCEPT_JSON = { accept: "application/json" };

const bearer = (accessToken: string) => ({ accept: "application/json", authorization: `Bearer ${accessToken}` });

const normalizeUrl = (url: string): string => new URL(url).href.replace(/\/+$/, "");

/**
 * Strava has answered 400 to `before` and `after` that were empty or in the future, so that neither is ever sent: what
 * lies ahead is cut to now, before which every activity has started.
 */
function formatListQuery(query: ActivityListQuery, clock: Clock): string {
  const nowSeconds = Math.floor(clock.nowMs() / SECOND_MS);
  let text = `page=${query.page}&per_page=${query.perPage}`;
  if (query.beforeSeconds !== undefined) text += `&before=${Math.min(query.beforeSeconds, nowSeconds)}`;
  if (query.afterSeconds !== undefined) text += `&after=${Math.min(query.afterSeconds, nowSeconds)}`;
  return text;
}

function readActivityPage(text: string): Parsed<ActivityPage> {
  const body = parseJson(text);
  return body.ok ? parseActivityPage(body.value) : body;
}

function readActivity(text: string, activityId: number): Parsed<DetailedActivity> {
  const body = parseJson(text);
  const parsed = body.ok ? parseActivity(body.value) : body;
  if (parsed.ok && parsed.value.stravaActivityId !== activityId) {
    return { ok: false, reason: "it is another activity than the one asked for" };
  }
  return parsed;
}

/** The endpoint's 200 is the confirmation; the body is empty or repeats the token. */
const readRevoked = (): Parsed<"revoked"> => ({ ok: true, value: "revoked" });

function parseJson(text: string): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    // The error would quote the body.
    return { ok: false, reason: text === "" ? "empty" : "not JSON, or cut off" };
  }
}
