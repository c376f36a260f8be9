import { toStravaJson } from "./activity.ts";
import { ACTIVITY_ROUTES } from "./control-activities.ts";
import { ATHLETE_ROUTES } from "./control-athletes.ts";
import { EVENT_ROUTES } from "./control-events.ts";
import { FAULT_ROUTES } from "./control-faults.ts";
import { ControlRefusal, readFields } from "./control-input.ts";
import type { ControlRoutes, MoveClock } from "./control-route.ts";
import type { Sandbox } from "./sandbox-contract.ts";

const ROUTES: ControlRoutes = { ...ATHLETE_ROUTES, ...ACTIVITY_ROUTES, ...EVENT_ROUTES, ...FAULT_ROUTES };

/**
 * Answers a request under /sandbox/: the truth and the levers of the fake, in JSON with snake_case. Undefined for any
 * other path. 400 for what it cannot read, 404 for what is not there, both with a `message`.
 *
 * | route | does |
 * | --- | --- |
 * | `GET people` | everybody with an account: `{strava_id, first_name, last_name, is_connected, clubs}` |
 * | `GET athletes` | who lets or let the application in, each as `POST /api/admin/athletes` of the daemon takes it |
 * | `POST athletes/:id/{expire,revoke,grant}` | kills the access tokens; takes the grant back; gives it again `{scope?}` |
 * | `POST athletes/:id/authorize` `{scope?}` → `{code}` | what the authorize page hands over when the athlete agrees |
 * | `POST athletes/:id/clubs` `{clubs: [id…]}` | which clubs the athlete is in |
 * | `POST capacity` `{athletes: number or "any", refuse_at?: "authorization" or "exchange"}` | how many may be connected |
 * | `POST rotation` `{on}` | whether refresh tokens rotate |
 * | `GET activities?athlete=` · `POST activities` `{athlete, …}` · `GET, PATCH, DELETE activities/:id` | the truth, Strava's field names |
 * | `POST short-pages` `{athlete, page, size, per_page?}` | a page that is short in the middle of the list |
 * | `GET subscription` · `GET events` | where the application wants to be told; what it was told, with each try and the outcome |
 * | `POST delivery` `{drop?, double?, delay_ms?: number or {min, max}, hold?}` | shares from 0 to 1 of events lost and sent twice; a range of delays puts them out of order; held ones wait |
 * | `POST events/release` `{order?: "in_order", "reversed" or "shuffled"}` → `{released}` | sends what was held |
 * | `POST events` `{raw}` or an event's fields → `{at, status}` | posts a text as it is, or an event, once and at once |
 * | `GET, DELETE ledger` | each request so far |
 * | `POST faults` `{match?, times?: number or "always", for_ms?, action}` → `{id}` · `DELETE faults` · `POST hangs/release` | what goes wrong |
 * | `GET quota` · `POST quota` `{overall?: {quarter?, day?}, read?}` · `POST spend` `{overall?, read?}` | limits and usage |
 * | `POST other-client` `{share, pace?: "even" or "eager"}` | another client of the application reads at random, share × the day's read limit a day |
 * | `POST wording` `{not_found?: "current", "old" or "empty", too_many?: "overall rate limit" or "rate limit"}` | how refusals are worded |
 * | `POST clock` `{advance_ms}` | moves the clock where it can be moved |
 */
export function answerControl(
  request: Request,
  sandbox: Sandbox,
  moveClock: MoveClock | undefined,
): Promise<Response> | undefined {
  const { url } = request;
  if (!url.startsWith("/sandbox/", url.indexOf("/", url.indexOf("//") + 2))) return undefined;
  return answer(request, sandbox, moveClock);
}

async function answer(request: Request, sandbox: Sandbox, moveClock: MoveClock | undefined): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const path = pathname.slice("/sandbox/".length);
  const [resource = "", id = "", ...verbs] = path.split("/");
  try {
    const route =
      ROUTES[`${request.method} ${path}`] ?? ROUTES[[`${request.method} ${resource}`, ":id", ...verbs].join("/")];
    if (route === undefined) throw new ControlRefusal(404, `the sandbox has no control ${request.method} ${path}`);
    const body = await route({ sandbox, moveClock, id, query: searchParams, body: await readFields(request) });
    return body === undefined ? new Response(null, { status: 204 }) : reply(200, body);
  } catch (error) {
    if (error instanceof ControlRefusal) return reply(error.status, { message: error.message });
    // The sandbox throws a RangeError for an athlete, a page or a subscriber that it does not have.
    if (error instanceof RangeError) return reply(404, { message: error.message });
    throw error;
  }
}

function reply(status: number, body: unknown): Response {
  return new Response(toStravaJson(body), { status, headers: { "Content-Type": "application/json; charset=utf-8" } });
}
