import { type Answer, htmlAnswer, jsonAnswer } from "./answer.ts";
import { authorizePage, capacityPage, PAGE_POLICY } from "./authorize-page.ts";
import { type AuthorizeRequest, readAuthorizeRequest } from "./authorize-request.ts";
import type { Call } from "./call.ts";
import type { OAuthWorld } from "./oauth-world.ts";
import { readScopes, SCOPE_ALWAYS_GIVEN, type Scope } from "./scopes.ts";
import { badRequest } from "./strava-errors.ts";

/**
 * The page where an athlete lets an application in. GET shows it; its form posts the same fields, with `athlete` (who
 * signs in), `granted` (the scopes that are ticked, beyond `read`) and `decision` (`authorize` or `cancel`), and leads
 * back to the application with `code` and `scope`, or with `error=access_denied`; with `state` in both cases.
 * @see https://developers.strava.com/docs/authentication
 */
export function answerAuthorize({ method, form }: Call, world: OAuthWorld): Answer {
  const reading = readAuthorizeRequest(form, world.application);
  if (reading.outcome === "refused") return jsonAnswer(400, reading.error);
  const { request } = reading;
  if (method === "POST" && form.decision === "cancel") return leadBack(request, { error: "access_denied" });
  const stravaId = form.athlete === undefined ? undefined : Number(form.athlete);
  if (stravaId !== undefined && !world.grants.has(stravaId)) return refused("Athlete", "id", "invalid");
  if (method !== "POST") return show(request, stravaId, form, world);
  if (form.decision !== "authorize") return refused("Authorize", "decision", "invalid");
  if (stravaId === undefined) return refused("Athlete", "id", "missing");
  const ticked = new Set(readScopes(form.granted ?? ""));
  return allow(
    request,
    stravaId,
    request.scopes.filter((scope) => ticked.has(scope)),
    world,
  );
}

/** A browser would be signed in; here the query's `athlete` says so, or else the page asks. */
function show(
  request: AuthorizeRequest,
  stravaId: number | undefined,
  fields: Call["form"],
  world: OAuthWorld,
): Answer {
  const { grants } = world;
  const isAllowed = (scope: Scope) => stravaId !== undefined && grants.liveScopes(stravaId).has(scope);
  if (stravaId !== undefined && request.prompt === "auto" && request.scopes.every(isAllowed)) {
    return allow(request, stravaId, request.scopes, world);
  }
  return page(200, authorizePage(request, { fields, people: grants.people(), chosen: stravaId }));
}

function allow(request: AuthorizeRequest, stravaId: number, scopes: readonly Scope[], world: OAuthWorld): Answer {
  const { grants, codes, capacity, nowMs } = world;
  const connected = [...grants.connected(), ...codes.holders(nowMs)];
  if (capacity.refuses(stravaId, "authorization", connected)) return page(403, capacityPage());
  const scope = [...new Set([SCOPE_ALWAYS_GIVEN, ...scopes])].join(",");
  return leadBack(request, { code: codes.issue({ stravaId, scope }, nowMs), scope });
}

function leadBack({ redirectUri, state }: AuthorizeRequest, parameters: Readonly<Record<string, string>>): Answer {
  const target = new URL(redirectUri);
  for (const [name, value] of Object.entries({ state, ...parameters })) target.searchParams.set(name, value);
  return { ...htmlAnswer(302, ""), headers: { Location: target.href, "Cache-Control": "no-store" } };
}

function page(status: number, html: string): Answer {
  return {
    ...htmlAnswer(status, html),
    headers: { "Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store" },
  };
}

function refused(resource: string, field: string, code: "invalid" | "missing"): Answer {
  return jsonAnswer(400, badRequest(resource, field, code));
}
