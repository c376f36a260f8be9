import type { Clock } from "../core/units.ts";
import { ask, type Line } from "./exchange.ts";
import { type Parsed, parseJsonAs } from "./raw-json.ts";
import type { AuthorizationGrant, Reply, TokenGrant } from "./reply.ts";
import { parseAuthorization, parseTokenGrant } from "./wire-oauth.ts";

/** The part of the client that gets, renews and ends grants; documented and bounded as the client is. */
export function createOAuthCalls(
  line: Line,
  options: {
    readonly clock: Clock;
    /** Without a slash at the end. */
    readonly oauthUrl: string;
    readonly clientId: string;
    readonly clientSecret: string;
  },
) {
  const { clock, oauthUrl, clientId, clientSecret } = options;
  const tokenRequest = { method: "POST", url: `${oauthUrl}/token`, headers: ACCEPT_JSON, maxBytes: MAX_BYTES } as const;
  const client = { client_id: clientId, client_secret: clientSecret };

  return {
    /**
     * Where an athlete agrees that this application may read. Strava asks only what was not granted already, and sends the
     * browser back to `redirectUri`, with the state as it was given.
     * @see https://developers.strava.com/docs/authentication/#requesting-access
     */
    authorizeUrl({ redirectUri, scope, state }: { redirectUri: string; scope: string; state: string }): string {
      const query = new URLSearchParams({
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: "code",
        approval_prompt: "auto",
        scope,
        state,
      });
      return `${oauthUrl}/authorize?${query}`;
    },

    /**
     * Trades the code that a callback brought for a pair of tokens. A code is good once and for minutes: when the answer is
     * lost, so is the code.
     * @see https://developers.strava.com/docs/authentication/#token-exchange
     */
    exchangeCode(code: string, signal: AbortSignal): Promise<Reply<AuthorizationGrant>> {
      return ask(
        line,
        {
          ...tokenRequest,
          asked: "code",
          body: new URLSearchParams({ ...client, grant_type: "authorization_code", code }),
          read: (text) => parseJsonAs(text, (body) => parseAuthorization(body, clock.nowMs())),
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
          ...tokenRequest,
          asked: "oauth",
          body: new URLSearchParams({ ...client, grant_type: "refresh_token", refresh_token: refreshToken }),
          read: (text) => parseJsonAs(text, (body) => parseTokenGrant(body, { refreshToken, nowMs: clock.nowMs() })),
        },
        signal,
      );
    },

    /**
     * Ends the grant that a token belongs to, by its access or its refresh token; a token that Strava does not know
     * counts as revoked. Answered 404 or 405, the address is not there: then `deauthorize` is.
     */
    revoke(token: string, signal: AbortSignal): Promise<Reply<"revoked">> {
      const credentials = btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`);
      return ask(
        line,
        {
          method: "POST",
          maxBytes: MAX_BYTES,
          read: readRevoked,
          asked: "oauth",
          url: `${oauthUrl}/revoke`,
          headers: { ...ACCEPT_JSON, authorization: `Basic ${credentials}` },
          body: new URLSearchParams({ token }),
        },
        signal,
      );
    },

    /** The older way to end a grant, until 2027-06-01: by its access token, and it costs quota. */
    deauthorize(accessToken: string, signal: AbortSignal): Promise<Reply<"revoked">> {
      return ask(
        line,
        {
          method: "POST",
          maxBytes: MAX_BYTES,
          read: readRevoked,
          asked: "api",
          url: `${oauthUrl}/deauthorize`,
          headers: { ...ACCEPT_JSON, authorization: `Bearer ${accessToken}` },
        },
        signal,
      );
    },
  };
}

const MAX_BYTES = 1_000_000;
const ACCEPT_JSON = { accept: "application/json" };

/** The 200 is the confirmation; the body is empty or repeats the token. */
const readRevoked = (): Parsed<"revoked"> => ({ ok: true, value: "revoked" });
