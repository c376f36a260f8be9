/**
 * The admin API. Routes are thin: parse, call, answer; nothing outside this folder knows Elysia. A request passes the
 * gate (who, whether, how much), then its route; every answer leaves with the same security headers.
 */
import { Elysia } from "elysia";
import type { SyncContext } from "../sync/context.ts";
import { alertChannelRoutes } from "./alert-channels.ts";
import { alertRuleRoutes } from "./alert-rules.ts";
import { alertRoutes } from "./alerts.ts";
import { athleteRoutes } from "./athletes.ts";
import { auditRoutes } from "./audit.ts";
import { connectRoutes } from "./connect/routes.ts";
import { connectStatusRoutes } from "./connect-status.ts";
import { daemonControlRoutes } from "./daemon-control.ts";
import type { ApiDeps, RouteDeps } from "./deps.ts";
import { errorAnswers } from "./errors.ts";
import { findingRoutes } from "./findings.ts";
import { createGate, type Gate, type GatedRoute } from "./gate.ts";
import { healthRoutes } from "./health.ts";
import { incidentRoutes } from "./incident.ts";
import { inviteRoutes } from "./invites.ts";
import { metricRoutes } from "./metrics.ts";
import { makeOpenApiDocument, type OpenApiDocument } from "./open-api.ts";
import { probeRoutes } from "./probes.ts";
import { PROBLEM_TYPE } from "./problem.ts";
import { publicPath, withoutPublicPath } from "./public-path.ts";
import { quotaRoutes } from "./quota.ts";
import { raceRoutes } from "./races.ts";
import { scheduleRoutes } from "./schedule.ts";
import { withSecurityHeaders } from "./security-headers.ts";
import { createSwaggerPage } from "./swagger-page.ts";
import { syncActionRoutes } from "./sync-actions.ts";
import { syncStartRoutes } from "./sync-starts.ts";
import { syncStatusRoutes } from "./sync-status.ts";
import { syncRoutes } from "./syncs.ts";
import { thresholdRoutes } from "./thresholds.ts";
import { tokenRoutes } from "./tokens.ts";
import { subscriptionRoutes } from "./webhook-subscription.ts";
import { webhookRoutes } from "./webhooks.ts";

export type { ApiDeps } from "./deps.ts";

/** The API, to be served by `Bun.serve`. */
export type Api = {
  /** Answers any request; never rejects. */
  fetch(request: Request): Promise<Response>;
};

/** All routes with their types: what a typed client is made from. */
export type App = ReturnType<typeof buildApp>;

/** Puts the API together. @throws Error when a route does not say who may use it: a bug. */
export function createApi(deps: ApiDeps): Api {
  const startedAtMs = deps.context.clock.nowMs();
  let gate: Gate | undefined;
  const app = buildApp({ ...deps, startedAtMs, actorOf: (request) => gate?.actorOf(request) ?? "nobody" });
  const open = createGate(gatedRoutes(app), {
    auth: deps.auth,
    clock: deps.context.clock,
    isWebhookSecret: (given) => deps.events.secrets.isPathSecret(given),
  });
  gate = open;
  const swagger = createSwaggerPage(() => openApiDocument(app, deps.version));

  const base = publicPath(deps.context.links.publicUrl);

  async function answer(sent: Request): Promise<Response> {
    const request = withoutPublicPath(sent, { base, isOurs: open.knows });
    const isHead = request.method === "HEAD";
    const path = new URL(request.url).pathname;
    if (request.method === "GET" || isHead) {
      if (path === "/") return new Response(null, { status: 302, headers: { location: `${base}/swagger` } });
      const page = await swagger.answer(path, request);
      if (page !== undefined) return page;
    }
    const admission = await open.admit(request);
    if (!admission.admit) return admission.response;
    return asProblem(await app.fetch(admission.request));
  }

  return {
    async fetch(request) {
      const response = withSecurityHeaders(await answer(request));
      // What a GET brings along is not read, and must not keep its connection open.
      const isBodyLeft = (request.method === "GET" || request.method === "HEAD") && bringsBody(request.headers);
      if (isBodyLeft) response.headers.set("connection", "close");
      return request.method === "HEAD" ? new Response(null, response) : response;
    },
  };
}

const bringsBody = (headers: Headers): boolean =>
  Number(headers.get("content-length") ?? 0) > 0 || headers.has("transfer-encoding");

/** The documentation of every route, as OpenAPI 3.1. Needs no daemon. */
export function describeApi(version: string): Promise<OpenApiDocument> {
  // Building routes asks nothing of what they will work with (see RouteDeps), so there is nothing to give.
  const deps = { context: {} as SyncContext } as RouteDeps;
  return openApiDocument(buildApp(deps), version);
}

/** The documentation of this app's routes. */
export function openApiDocument(app: App, version: string): Promise<OpenApiDocument> {
  return makeOpenApiDocument(app, version);
}

function buildApp(deps: RouteDeps) {
  return new Elysia()
    .use(errorAnswers(() => deps.context.log))
    .use(probeRoutes(deps))
    .use(metricRoutes(deps))
    .use(connectRoutes(deps))
    .use(connectStatusRoutes(deps))
    .use(inviteRoutes(deps))
    .use(athleteRoutes(deps))
    .use(syncStartRoutes(deps))
    .use(syncStatusRoutes(deps))
    .use(syncRoutes(deps))
    .use(incidentRoutes(deps))
    .use(syncActionRoutes(deps))
    .use(healthRoutes(deps))
    .use(findingRoutes(deps))
    .use(thresholdRoutes(deps))
    .use(raceRoutes(deps))
    .use(quotaRoutes(deps))
    .use(scheduleRoutes(deps))
    .use(alertChannelRoutes(deps))
    .use(alertRuleRoutes(deps))
    .use(alertRoutes(deps))
    .use(daemonControlRoutes(deps))
    .use(tokenRoutes(deps))
    .use(auditRoutes(deps))
    .use(subscriptionRoutes(deps))
    .use(webhookRoutes(deps));
}

function gatedRoutes(app: App): readonly GatedRoute[] {
  return app.routes.map(({ method, path, hooks }) => ({ method, path, security: hooks.detail?.security }));
}

/** Elysia writes what a route refuses as plain JSON. A page for people stays one. */
function asProblem(response: Response): Response {
  if (response.status < 400 || response.headers.get("content-type")?.startsWith("text/html") === true) return response;
  const headers = new Headers(response.headers);
  headers.set("content-type", PROBLEM_TYPE);
  return new Response(response.body, { status: response.status, headers });
}
