import type { Fault } from "../core/fault.ts";

/**
 * What was asked for decides what a refusal means: the API judges access tokens; the token endpoint judges refresh tokens
 * (`oauth`), or the codes that new athletes bring (`code`); subscriptions to events are judged by their callback.
 */
export type Asked = "api" | "oauth" | "code" | "subscription";

/**
 * Tells what a refusal means, from its status and body. Never looks further into the body than the fixed words that
 * Strava uses, and quotes none of it: an answer may echo what was sent.
 *
 * A body may be no JSON at all, and `errors` no array. Where Strava's answer leaves room for doubt, the reading that
 * marks and withdraws the least is taken: a web page for 403 or 404 comes from something in front of the API, not from
 * the activity.
 * @param body the beginning of the body; "" when it could not be read.
 */
export function classifyRefusal(asked: Asked, status: number, body: string): Fault {
  if (status === 429) {
    return { scope: "application", kind: "rate_limited", status, message: "Strava's rate limit is spent (429)" };
  }
  if (status >= 500) return classifyServerFault(status, body);
  if (status >= 300 && status < 400) return unavailable(status, `Strava answered with a redirect (${status})`);
  const errors = readErrors(body);
  if (asked === "code" && (status === 400 || status === 401)) return classifyCodeRefusal(status, errors);
  if (asked === "code" && status === 403 && tellsOfCapacity(body, errors)) return CAPACITY_REACHED;
  if (asked === "subscription" && (status === 400 || status === 401)) return classifySubscription(status, errors);
  if (status === 401) return asked === "oauth" ? classifyTokenRefusal(status, errors) : classify401(errors);
  if (status === 400 && asked === "oauth") return classifyTokenRefusal(status, errors);
  if (status === 403) return classify403(body, errors);
  if (status === 404 && asked === "api") return classify404(body, "Strava does not show this to this token (404)");
  if (status === 404 && asked === "subscription")
    return classify404(body, "Strava has no subscriptions to events here, or not this one (404)");
  if (status === 408) return serverError(status);
  if (names(errors, "Application")) return wrongClient(status);
  return { scope: "item", kind: "bad_request", status, message: `Strava refused the request (${status})` };
}

/** The fault that the status alone tells, where the body never arrived; undefined when only the body could tell. */
export function classifyByStatus(asked: Asked, status: number): Fault | undefined {
  return status === 429 || status === 503 || status === 597 ? classifyRefusal(asked, status, "") : undefined;
}

/** A 2xx whose body is not what was asked for; `reason` says how, without quoting it. */
export function classifyGarbage(status: number, body: string, reason: string): Fault {
  if (isMaintenancePage(body)) return unavailable(status, `Strava is temporarily unavailable (${status})`);
  return { scope: "item", kind: "garbage", status, message: `Strava's answer cannot be read (${status}): ${reason}` };
}

function classifyServerFault(status: number, body: string): Fault {
  // 597 is Strava's own, non-standard sign of maintenance. A web page for 502 comes from its gateway: the API is away.
  if (status === 503 || status === 597 || (status === 502 && isWebPage(body)) || isMaintenancePage(body)) {
    return unavailable(status, `Strava is temporarily unavailable (${status})`);
  }
  return serverError(status);
}

function classify401(errors: readonly StravaError[]): Fault {
  if (names(errors, "Application")) return wrongClient(401);
  if (namesPermission(errors)) return scopeMissing(401);
  return { scope: "athlete", kind: "unauthorized", status: 401, message: "Strava refused the access token (401)" };
}

function classify403(body: string, errors: readonly StravaError[]): Fault {
  const status = 403;
  if (names(errors, "Application")) {
    return {
      scope: "application",
      kind: "app_inactive",
      status,
      message: "Strava refuses the application itself (403)",
    };
  }
  if (namesPermission(errors)) return scopeMissing(status);
  if (isWebPage(body))
    return unavailable(status, "Something in front of Strava refuses all requests (403, a web page)");
  return { scope: "item", kind: "forbidden", status, message: "Strava does not give this out to this token (403)" };
}

function classify404(body: string, message: string): Fault {
  const status = 404;
  if (isWebPage(body)) return classifyGarbage(status, body, "a web page, not the API's own 404");
  return { scope: "item", kind: "not_found", status, message };
}

/** 400 and 401 of the token and revoke endpoints: which part of the request is to blame decides who has to wait. */
function classifyTokenRefusal(status: number, errors: readonly StravaError[]): Fault {
  if (names(errors, "Application")) return wrongClient(status);
  if (names(errors, "RefreshToken") || names(errors, "AccessToken") || names(errors, "Athlete")) {
    const message = `Strava refused the refresh token (${status}): the athlete must connect again`;
    return { scope: "athlete", kind: "access_revoked", status, message };
  }
  // What proves who we are at these endpoints is the client's id and secret: an unexplained 401 means those.
  if (status === 401) return wrongClient(status);
  return { scope: "item", kind: "bad_request", status, message: `Strava refused the request for a token (${status})` };
}

/** The same endpoint, asked with a code: `AuthorizationCode` since 2023, `RequestToken` before, or who knows. */
function classifyCodeRefusal(status: number, errors: readonly StravaError[]): Fault {
  // An unexplained 401 means the client here too.
  if (names(errors, "Application") || (status === 401 && errors.length === 0)) return wrongClient(status);
  return { scope: "item", kind: "code_refused", status, message: `Strava refused the code (${status})` };
}

/**
 * What Strava answers when no more athletes fit was seen as words only ("Limit of connected athletes exceeded", on a page),
 * never as JSON: so whatever else a 403 has against the application at this moment counts as that. To hold everybody
 * back for it would be the greater harm.
 */
function tellsOfCapacity(body: string, errors: readonly StravaError[]): boolean {
  if (/limit of connected athletes exceeded/i.test(body)) return true;
  const isInactive = errors.some((error) => error.field === "Status" || error.code === "Inactive");
  return names(errors, "Application") && !isInactive;
}

const CAPACITY_REACHED: Fault = {
  scope: "item",
  kind: "capacity_reached",
  status: 403,
  message: "Strava lets this application connect no more athletes (403)",
};

/** Subscriptions are asked for with the client's id and secret alone, so a 401 means those. */
function classifySubscription(status: number, errors: readonly StravaError[]): Fault {
  if (status === 401 || names(errors, "Application")) return wrongClient(status);
  if (!names(errors, "PushSubscription")) {
    return { scope: "item", kind: "bad_request", status, message: `Strava refused the subscription (${status})` };
  }
  // "already exists", where it says so: it has been seen to blame the callback for that as well.
  if (errors.some(({ code }) => typeof code === "string" && /exist/i.test(code))) {
    const message = `Strava has a subscription of this application already (${status})`;
    return { scope: "item", kind: "subscription_exists", status, message };
  }
  const message = `Strava could not verify the callback of the subscription (${status})`;
  return { scope: "item", kind: "callback_unverifiable", status, message };
}

const wrongClient = (status: number): Fault => ({
  scope: "application",
  kind: "wrong_client",
  status,
  message: `Strava does not accept the client id and secret (${status})`,
});
const scopeMissing = (status: number): Fault => ({
  scope: "athlete",
  kind: "scope_missing",
  status,
  message: `The athlete has not granted the permission that this needs (${status})`,
});
const serverError = (status: number): Fault => ({
  scope: "item",
  kind: "server_error",
  status,
  message: `Strava failed to answer (${status})`,
});
const unavailable = (status: number, message: string): Fault => ({
  scope: "application",
  kind: "maintenance",
  status,
  message,
});

/** One entry of `{message, errors: [{resource, field, code}]}`. */
type StravaError = { readonly resource: unknown; readonly field: unknown; readonly code: unknown };

function readErrors(body: string): readonly StravaError[] {
  const errors: unknown = parseJson(body)?.errors;
  if (!Array.isArray(errors)) return [];
  return errors.filter((entry: unknown): entry is StravaError => typeof entry === "object" && entry !== null);
}

function parseJson(body: string): { readonly errors?: unknown } | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    // No JSON is as much of an answer as any: gateways send web pages, and some refusals have no body.
    return undefined;
  }
}

const names = (errors: readonly StravaError[], resource: string): boolean =>
  errors.some((error) => error.resource === resource);

const namesPermission = (errors: readonly StravaError[]): boolean =>
  errors.some((error) => typeof error.field === "string" && error.field.endsWith("_permission"));

const isWebPage = (body: string): boolean => /^\s*</.test(body);

/** A page or a line of text; in JSON the same words may come from an athlete. */
const isMaintenancePage = (body: string): boolean => !/^\s*[[{"]/.test(body) && /temporarily unavailable/i.test(body);
