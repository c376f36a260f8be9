import { type Clock, SECOND_MS } from "../core/units.ts";
import type { Scope } from "../db/schema-books.ts";
import { maskWebhookPath, WEBHOOK_PATH } from "../sync/events/webhook-secrets.ts";
import { type Auth, allows, type Principal } from "./auth.ts";
import { BEARER } from "./operation.ts";
import { problemResponse } from "./problem.ts";
import { within } from "./within.ts";

/** What the gate reads of a route: where it is, and what its documentation says of its security. */
export type GatedRoute = { readonly method: string; readonly path: string; readonly security: unknown };

/** What becomes of a request: on to its route, or answered here. */
export type Admission =
  | { readonly admit: true; readonly request: Request }
  | { readonly admit: false; readonly response: Response };

export type Gate = {
  admit(request: Request): Promise<Admission>;
  /** Whether there is something at a path, by whatever method. */
  knows(path: string): boolean;
  /** Who sent an admitted request, as it is recorded with what they do. */
  actorOf(request: Request): string;
};

/** A body of an admin route is small. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** And it comes at once. Whoever sends half of one must not hold a connection for ever. */
const BODY_WITHIN_MS = 10 * SECOND_MS;
const ADMIN_PREFIX = "/api/admin/";

/**
 * Stands before all routes: who asks, whether they may, and how much they send. The scope that a route wants is the one
 * that its documentation names, so that the two cannot part; in this order, so that a caller without rights learns
 * nothing: 401, 404, 403, and only then the body: 413, 408. Whoever does not know the secret of Strava's path gets a 404.
 * @throws Error for a route whose documentation names no security: a bug that must not reach anybody.
 */
export function createGate(
  gated: readonly GatedRoute[],
  rules: { readonly auth: Auth; readonly clock: Clock; readonly isWebhookSecret: (given: string) => boolean },
): Gate {
  const { auth, clock, isWebhookSecret } = rules;
  const routes = gated.map((route) => ({
    method: route.method,
    pattern: patternOf(route.path),
    scope: scopeOf(route),
  }));
  const principals = new WeakMap<Request, Principal>();

  async function admit(request: Request): Promise<Admission> {
    const path = new URL(request.url).pathname;
    const principal = auth.authenticate(request);
    if (principal === undefined && `${path}/`.startsWith(ADMIN_PREFIX)) return turnAway(request, unauthorized());
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = routes.find((one) => one.method === method && one.pattern.test(path));
    if (route === undefined || !isWebhookOpen(path)) return turnAway(request, unknownRoute(request.method, path));
    if (route.scope !== "public") {
      if (principal === undefined) return turnAway(request, unauthorized());
      if (!allows(principal.scope, route.scope)) return turnAway(request, forbidden(principal.scope, route.scope));
    }
    const body = method === "GET" ? undefined : await within(clock, BODY_WITHIN_MS, readBody(request));
    if (body === "too_large") return turnAway(request, tooLarge());
    if (body === "late") return turnAway(request, tooSlow());
    const admitted = withBody(request, method, body);
    if (principal !== undefined) principals.set(admitted, principal);
    return { admit: true, request: admitted };
  }

  function isWebhookOpen(path: string): boolean {
    const prefix = `${WEBHOOK_PATH}/`;
    return !path.startsWith(prefix) || isWebhookSecret(path.slice(prefix.length).replace(/\/$/, ""));
  }

  const knows = (path: string) => routes.some((route) => route.pattern.test(path));
  return { admit, knows, actorOf: (request) => principals.get(request)?.actor ?? "nobody" };
}

/** What is left of a body is not waited for: the connection goes with the answer. */
function turnAway(request: Request, response: Response): Admission {
  if (request.body !== null) response.headers.set("connection", "close");
  return { admit: false, response };
}

function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => (part.startsWith(":") ? "[^/]+" : RegExp.escape(part)));
  return new RegExp(`^${parts.join("/")}/?$`);
}

function scopeOf(route: GatedRoute): Scope | "public" {
  if (Array.isArray(route.security)) {
    if (route.security.length === 0) return "public";
    const scope: unknown = route.security[0]?.[BEARER]?.[0];
    if (scope === "read" || scope === "operate" || scope === "admin") return scope;
  }
  throw new Error(`The route ${route.method} ${route.path} does not say who may use it`);
}

/** All of the body, unless it is too large: a length may be missing or a lie, so it is counted as it comes. */
async function readBody(request: Request): Promise<Uint8Array<ArrayBuffer> | "too_large"> {
  if (Number(request.headers.get("content-length") ?? 0) > BODY_LIMIT_BYTES) return "too_large";
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of request.body ?? []) {
    byteCount += chunk.byteLength;
    if (byteCount > BODY_LIMIT_BYTES) return "too_large";
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Bodies are JSON whatever they call themselves (`curl -d` says "form"), and none is an empty object. */
function withBody(request: Request, method: string, body: Uint8Array<ArrayBuffer> | undefined): Request {
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  if (body === undefined || method === "DELETE") {
    headers.delete("content-type");
    return new Request(request.url, { method, headers, signal: request.signal });
  }
  headers.set("content-type", "application/json");
  const isBlank = body.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
  return new Request(request.url, { method, headers, body: isBlank ? "{}" : body, signal: request.signal });
}

const unauthorized = () =>
  problemResponse(
    401,
    "unauthorized",
    'Send "Authorization: Bearer TOKEN" with a token that is known and has not expired ("broomwagon token create" makes one).',
    { "www-authenticate": 'Bearer realm="broomwagon"' },
  );

const forbidden = (held: Scope, needed: Scope) =>
  problemResponse(403, "forbidden", `This token may "${held}"; what you ask wants "${needed}". Use another token.`, {
    "www-authenticate": `Bearer realm="broomwagon", error="insufficient_scope", scope="${needed}"`,
  });

const unknownRoute = (method: string, path: string) =>
  problemResponse(
    404,
    "route_unknown",
    `There is nothing at ${method} ${maskWebhookPath(path)}. /swagger shows what there is.`,
  );

const tooSlow = () =>
  problemResponse(
    408,
    "body_too_slow",
    `The body did not come within ${BODY_WITHIN_MS / SECOND_MS} s. Nothing was changed; send it at once.`,
  );

const tooLarge = () =>
  problemResponse(413, "too_large", `A body may have ${BODY_LIMIT_BYTES} bytes at most. Send less.`);
