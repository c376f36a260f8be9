import { SECOND_MS } from "../core/units.ts";
import { type Answer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import { summariseAthlete } from "./athlete-summary.ts";
import type { Call } from "./call.ts";
import { answerAuthorize } from "./oauth-authorize.ts";
import type { OAuthWorld } from "./oauth-world.ts";
import {
  ACCESS_TOKEN_INVALID,
  AUTHORIZATION_CODE_INVALID,
  badRequest,
  CAPACITY_REACHED,
  clientInvalid,
  PATH_INVALID,
  REFRESH_TOKEN_INVALID,
} from "./strava-errors.ts";
import type { SandboxAthlete } from "./token-grants.ts";

/** Answers a call to /oauth. */
export function answerOAuth(call: Call, world: OAuthWorld): Answer {
  switch (call.kind) {
    case "authorize":
      return answerAuthorize(call, world);
    case "token":
      return answerToken(call, world);
    case "revoke":
      return answerRevoke(call, world);
    case "deauthorize":
      return answerDeauthorize(call, world);
    default:
      return jsonAnswer(404, PATH_INVALID);
  }
}

function answerToken({ form }: Call, world: OAuthWorld): Answer {
  const { clientId, clientSecret, wrongClientStatus } = world.application;
  if (form.client_id !== clientId || form.client_secret !== clientSecret) {
    return jsonAnswer(wrongClientStatus, clientInvalid(wrongClientStatus));
  }
  switch (form.grant_type) {
    case "refresh_token":
      return answerRefresh(form.refresh_token ?? "", world);
    case "authorization_code":
      return answerExchange(form.code ?? "", world);
    default:
      return jsonAnswer(400, badRequest("Token", "grant_type", "invalid"));
  }
}

/** Exchanges a code for tokens; the only answer that says whose they are. */
function answerExchange(code: string, { codes, grants, capacity, nowMs }: OAuthWorld): Answer {
  const authorization = codes.peek(code, nowMs);
  if (authorization === undefined) return jsonAnswer(400, AUTHORIZATION_CODE_INVALID);
  const { stravaId, scope } = authorization;
  if (capacity.refuses(stravaId, "exchange", grants.connected())) return jsonAnswer(403, CAPACITY_REACHED);
  codes.spend(code);
  return jsonAnswer(200, {
    ...showTokens(grants.connect(stravaId, scope, nowMs), nowMs),
    athlete: summariseAthlete(stravaId, grants),
  });
}

function answerRefresh(refreshToken: string, { grants, nowMs }: OAuthWorld): Answer {
  const result = grants.refresh(refreshToken, nowMs);
  return result.outcome === "invalid"
    ? jsonAnswer(400, REFRESH_TOKEN_INVALID)
    : jsonAnswer(200, showTokens(result.tokens, nowMs));
}

function showTokens({ accessToken, refreshToken, expiresAtSeconds, scope }: SandboxAthlete, nowMs: number) {
  return {
    token_type: "Bearer",
    access_token: accessToken,
    expires_at: expiresAtSeconds,
    expires_in: expiresAtSeconds - Math.floor(nowMs / SECOND_MS),
    refresh_token: refreshToken,
    scope,
  };
}

/** 200 and an empty body, for a token that nobody knows too; revoking either token of a pair kills both. */
function answerRevoke({ basic, form }: Call, { grants, application }: OAuthWorld): Answer {
  const { clientId, clientSecret } = application;
  if (basic?.clientId !== clientId || basic.clientSecret !== clientSecret) return jsonAnswer(401, clientInvalid(401));
  if (form.token === undefined || form.token === "") return jsonAnswer(400, badRequest("Token", "token", "missing"));
  grants.revokeToken(form.token);
  return jsonTextAnswer(200, "");
}

/** The older way, until 2027-06-01. */
function answerDeauthorize({ bearer }: Call, { grants, nowMs }: OAuthWorld): Answer {
  if (bearer === undefined || grants.access(bearer, nowMs) === undefined) return jsonAnswer(401, ACCESS_TOKEN_INVALID);
  grants.revokeToken(bearer);
  return jsonAnswer(200, { access_token: bearer });
}
