import { SECOND_MS } from "../core/units.ts";
import { type Answer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import type { Call } from "./call.ts";
import {
  ACCESS_TOKEN_INVALID,
  AUTHORIZATION_CODE_INVALID,
  badRequest,
  clientInvalid,
  PATH_INVALID,
  REFRESH_TOKEN_INVALID,
} from "./strava-errors.ts";
import type { TokenGrants } from "./token-grants.ts";

export type OAuthWorld = {
  readonly grants: TokenGrants;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly wrongClientStatus: 400 | 401;
  readonly nowMs: number;
};

/** Answers a call to /oauth. (The authorize page, codes and the capacity of an application have their place here.) */
export function answerOAuth(call: Call, world: OAuthWorld): Answer {
  switch (call.kind) {
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
  if (form.client_id !== world.clientId || form.client_secret !== world.clientSecret) {
    return jsonAnswer(world.wrongClientStatus, clientInvalid(world.wrongClientStatus));
  }
  switch (form.grant_type) {
    case "refresh_token":
      return answerRefresh(form.refresh_token ?? "", world);
    case "authorization_code":
      // No code was ever given out: the authorize page is not built yet.
      return jsonAnswer(400, AUTHORIZATION_CODE_INVALID);
    default:
      return jsonAnswer(400, badRequest("Token", "grant_type", "invalid"));
  }
}

function answerRefresh(refreshToken: string, { grants, nowMs }: OAuthWorld): Answer {
  const result = grants.refresh(refreshToken, nowMs);
  if (result.outcome === "invalid") return jsonAnswer(400, REFRESH_TOKEN_INVALID);
  return jsonAnswer(200, {
    token_type: "Bearer",
    access_token: result.accessToken,
    expires_at: Math.floor(result.expiresAtMs / SECOND_MS),
    expires_in: Math.floor((result.expiresAtMs - nowMs) / SECOND_MS),
    refresh_token: result.refreshToken,
    scope: result.scope,
  });
}

/** 200 and an empty body, for a token that nobody knows too; revoking either token of a pair kills both. */
function answerRevoke({ basic, form }: Call, { grants, clientId, clientSecret }: OAuthWorld): Answer {
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
