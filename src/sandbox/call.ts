import type { RequestKind } from "./ledger.ts";

/** A request to Strava, read. */
export type Call = {
  readonly method: string;
  /** Without origin, with the query. */
  readonly path: string;
  /** The query, without the question mark. */
  readonly search: string;
  readonly kind: RequestKind;
  readonly activityId?: number;
  /** Of a subscription that is to be removed. */
  readonly subscriptionId?: number;
  /** Of a list request, 1 when it names none. */
  readonly page?: number;
  /** The token of `Authorization: Bearer`, the only place where a token is taken from. */
  readonly bearer?: string;
  /** The client of `Authorization: Basic`. */
  readonly basic?: { readonly clientId: string; readonly clientSecret: string };
  /** The body of an OAuth request, form-encoded or JSON; the query where the authorize page is asked for. */
  readonly form: Readonly<Record<string, string>>;
  /** The body of an upload. */
  readonly json?: unknown;
};

/** Reads a request to an API under `apiPath`; the body only where Strava looks at it. A body that cannot be read counts as empty. */
export async function readCall(request: Request, apiPath: string): Promise<Call> {
  const { pathname, search, path } = splitUrl(request.url);
  const route = readRoute(request.method, readPath(pathname, apiPath), search);
  const authorization = request.headers.get("authorization");
  const head = {
    method: request.method,
    path,
    search,
    ...route,
    ...(authorization === null ? undefined : readAuthorization(authorization)),
  };
  switch (route.kind) {
    case "authorize":
      if (request.method === "GET") return { ...head, form: readForm(search, "") };
      return { ...head, form: await readPosted(request) };
    case "subscription":
      return { ...head, form: request.method === "POST" ? await readPosted(request) : readForm(search, "") };
    case "token":
    case "revoke":
      return { ...head, form: await readPosted(request) };
    case "upload":
      return { ...head, form: NO_FORM, json: parseJson(await request.text()) };
    default:
      return { ...head, form: NO_FORM };
  }
}

const NO_FORM = {};

/** By hand: a URL object costs more than the rest of a detail request's reading. */
function splitUrl(url: string): { pathname: string; search: string; path: string } {
  const path = url.slice(url.indexOf("/", url.indexOf("//") + 2));
  const question = path.indexOf("?");
  if (question < 0) return { pathname: path, search: "", path };
  return { pathname: path.slice(0, question), search: path.slice(question + 1), path };
}

type Route = Pick<Call, "kind" | "activityId" | "subscriptionId" | "page">;

/** OAuth answers with and without the API's path before it. */
function readPath(pathname: string, apiPath: string): { route: string; isApi: boolean } {
  const isApi = pathname.startsWith(`${apiPath}/`);
  return { route: isApi ? pathname.slice(apiPath.length) : pathname, isApi };
}

function readRoute(method: string, { route, isApi }: { route: string; isApi: boolean }, search: string): Route {
  if (method === "GET" && isApi) {
    if (route === "/athlete/activities")
      return { kind: "list", page: Number(/(?:^|&)page=(\d+)/.exec(search)?.[1] ?? 1) };
    const activity = /^\/activities\/(\d+)$/.exec(route);
    if (activity !== null) return { kind: "detail", activityId: Number(activity[1]) };
    if (route === "/athlete") return { kind: "athlete" };
    if (route === "/athlete/clubs") return { kind: "clubs" };
  }
  if (isApi && route.startsWith("/push_subscriptions")) return readSubscriptionRoute(method, route);
  if (route === "/oauth/authorize" && (method === "GET" || method === "POST")) return { kind: "authorize" };
  if (method === "POST") {
    if (isApi && (route === "/activities" || route === "/uploads")) return { kind: "upload" };
    if (route === "/oauth/token") return { kind: "token" };
    if (route === "/oauth/revoke") return { kind: "revoke" };
    if (route === "/oauth/deauthorize") return { kind: "deauthorize" };
  }
  return { kind: "other" };
}

function readSubscriptionRoute(method: string, route: string): Route {
  const [, id] = /^\/push_subscriptions(?:\/(\d+))?$/.exec(route) ?? ["", "unknown"];
  if (id === undefined) return { kind: method === "GET" || method === "POST" ? "subscription" : "other" };
  return method === "DELETE" && id !== "unknown"
    ? { kind: "subscription", subscriptionId: Number(id) }
    : { kind: "other" };
}

function readAuthorization(header: string): Pick<Call, "bearer" | "basic"> {
  if (header.startsWith("Bearer ")) return { bearer: header.slice("Bearer ".length).trim() };
  if (!header.startsWith("Basic ")) return {};
  const pair = Buffer.from(header.slice("Basic ".length), "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon < 0 ? {} : { basic: { clientId: pair.slice(0, colon), clientSecret: pair.slice(colon + 1) } };
}

/** A form in either encoding, or JSON. */
async function readPosted(request: Request): Promise<Record<string, string>> {
  const contentType = request.headers.get("content-type") ?? "";
  if (!contentType.includes("multipart")) return readForm(await request.text(), contentType);
  try {
    const form = await request.formData();
    return Object.fromEntries([...form].map(([name, value]) => [name, String(value)]));
  } catch {
    // As with JSON: what cannot be read has no fields.
    return {};
  }
}

function readForm(body: string, contentType: string): Record<string, string> {
  if (!contentType.includes("json")) {
    const params = new URLSearchParams(body);
    // Several boxes of one name that are ticked are one list.
    return Object.fromEntries([...params.keys()].map((name) => [name, params.getAll(name).join(",")]));
  }
  const parsed = parseJson(body);
  if (typeof parsed !== "object" || parsed === null) return {};
  return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Strava meets whatever people send; to it an unreadable body is one without fields.
    return undefined;
  }
}
