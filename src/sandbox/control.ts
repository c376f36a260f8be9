import { toStravaJson } from "./activity.ts";
import {
  ControlRefusal,
  readFaultRule,
  readFields,
  readLimits,
  readNumber,
  readNumbers,
  readOneOf,
  readPatch,
} from "./control-input.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { QuotaUsage } from "./quota-windows.ts";
import type { Sandbox } from "./sandbox-contract.ts";
import type { SandboxAthlete, SandboxPerson } from "./token-grants.ts";

type MoveClock = (durationMs: number) => void | Promise<void>;

/**
 * Answers a request under /sandbox/: the truth and the levers of the fake, in JSON with snake_case. Undefined for any
 * other path. 400 for what it cannot read, 404 for what is not there, both with a `message`.
 *
 * | route | does |
 * | --- | --- |
 * | `GET athletes` | who there is, each as `POST /api/admin/athletes` of the daemon takes it |
 * | `GET people` | everybody with an account: `{strava_id, first_name, last_name, is_connected, clubs}` |
 * | `POST athletes/:strava_id/authorize` `{scope?}` → `{code}` | what the authorize page hands over when the athlete agrees |
 * | `POST athletes/:strava_id/clubs` `{clubs: [id…]}` | which clubs the athlete is in |
 * | `POST capacity` `{athletes: number or "any", refuse_at?: "authorization" or "exchange"}` | how many may be connected |
 * | `POST athletes/:strava_id/{expire,revoke,grant}` | kills the access tokens; takes the grant back; gives it again `{scope?}` |
 * | `GET activities?athlete=` · `POST activities` `{athlete, …}` · `GET, PATCH, DELETE activities/:id` | the truth, Strava's field names |
 * | `POST short-pages` `{athlete, page, size, per_page?}` | a page that is short in the middle of the list |
 * | `GET, DELETE ledger` | each request so far |
 * | `POST faults` `{match?, times?: number or "always", action}` → `{id}` · `DELETE faults` · `POST hangs/release` | what goes wrong |
 * | `GET quota` · `POST quota` `{overall?: {quarter?, day?}, read?}` · `POST spend` `{overall?, read?}` | limits and usage |
 * | `POST rotation` `{on}` · `POST clock` `{advance_ms}` | whether refresh tokens rotate; moves the clock where it can be moved |
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
  const [resource = "", id, verb] = pathname.slice("/sandbox/".length).split("/");
  try {
    const control = { sandbox, moveClock, query: searchParams, body: await readFields(request) };
    const shape = `${request.method} ${resource}${id === undefined ? "" : "/:"}${verb === undefined ? "" : `/${verb}`}`;
    const body = await answerRoute(shape, id ?? "", control);
    return body === undefined ? new Response(null, { status: 204 }) : reply(200, body);
  } catch (error) {
    if (error instanceof ControlRefusal) return reply(error.status, { message: error.message });
    // The sandbox throws a RangeError for an athlete or page that it does not have.
    if (error instanceof RangeError) return reply(404, { message: error.message });
    throw error;
  }
}

const CAPACITY_REFUSALS = ["authorization", "exchange"] as const;

type Control = {
  readonly sandbox: Sandbox;
  readonly moveClock: MoveClock | undefined;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
};

/** @returns the body of a 200, or undefined for a 204 */
async function answerRoute(shape: string, id: string, { sandbox, moveClock, query, body }: Control): Promise<unknown> {
  switch (shape) {
    case "GET athletes":
      return sandbox.athletes().map(showAthlete);
    case "POST athletes/:/expire":
      return sandbox.expireAccessToken(readNumber(id, "the athlete's id"));
    case "POST athletes/:/revoke":
      return sandbox.revokeGrant(readNumber(id, "the athlete's id"));
    case "POST athletes/:/grant":
      return showAthlete(sandbox.grantAgain(readNumber(id, "the athlete's id"), readOptionalScope(body).scope));
    case "GET people":
      return sandbox.people().map((person) => showPerson(person, sandbox.clubs(person.stravaId)));
    case "POST athletes/:/authorize":
      return { code: sandbox.authorize(readNumber(id, "the athlete's id"), readOptionalScope(body)) };
    case "POST athletes/:/clubs":
      return sandbox.setClubs(readNumber(id, "the athlete's id"), readNumbers(body.clubs, "clubs"));
    case "POST capacity": {
      const athletes = body.athletes === "any" ? Number.POSITIVE_INFINITY : readNumber(body.athletes, "athletes");
      return sandbox.setCapacity(
        athletes,
        readOneOf(body.refuse_at ?? "authorization", CAPACITY_REFUSALS, "refuse_at"),
      );
    }
    case "GET activities":
      return sandbox.activities(readNumber(query.get("athlete"), "athlete"));
    case "POST activities":
      return sandbox.addActivity(readNumber(body.athlete, "athlete"), readPatch(body));
    case "GET activities/:":
      return found(sandbox.detail(readNumber(id, "the activity's id")), id);
    case "PATCH activities/:":
      return found(sandbox.updateActivity(readNumber(id, "the activity's id"), readPatch(body)), id);
    case "DELETE activities/:":
      found(sandbox.deleteActivity(readNumber(id, "the activity's id")) || undefined, id);
      return undefined;
    case "POST short-pages": {
      const perPage = body.per_page === undefined ? 200 : readNumber(body.per_page, "per_page");
      const short = { page: readNumber(body.page, "page"), size: readNumber(body.size, "size"), perPage };
      return sandbox.shortenPage(readNumber(body.athlete, "athlete"), short);
    }
    case "GET ledger":
      return sandbox.ledger().map(showEntry);
    case "DELETE ledger":
      return sandbox.clearLedger();
    case "POST faults":
      return { id: sandbox.injectFault(readFaultRule(body)) };
    case "DELETE faults":
      return sandbox.clearFaults();
    case "POST hangs/:":
      if (id !== "release")
        throw new ControlRefusal(404, `there is nothing at /sandbox/hangs/${id}; hangs/release lets them go`);
      return { released: sandbox.releaseHangs() };
    case "GET quota":
      return sandbox.quota() satisfies QuotaUsage;
    case "POST quota":
      sandbox.setQuota(readLimits(body));
      return sandbox.quota();
    case "POST spend": {
      const spent = { overall: readNumber(body.overall ?? 0, "overall"), read: readNumber(body.read ?? 0, "read") };
      sandbox.spendQuota(spent);
      return sandbox.quota();
    }
    case "POST rotation":
      return sandbox.setRotation(body.on === true);
    case "POST clock":
      if (moveClock === undefined)
        throw new ControlRefusal(400, "this sandbox runs by the machine's clock, which it cannot move");
      return await moveClock(readNumber(body.advance_ms, "advance_ms"));
    default:
      throw new ControlRefusal(404, `the sandbox has no control ${shape.replace(":", id)}`);
  }
}

function showAthlete(athlete: SandboxAthlete): unknown {
  return {
    strava_id: athlete.stravaId,
    first_name: athlete.firstName,
    last_name: athlete.lastName,
    access_token: athlete.accessToken,
    refresh_token: athlete.refreshToken,
    expires_at: athlete.expiresAtSeconds,
    scope: athlete.scope,
  };
}

function showPerson(person: SandboxPerson, clubs: readonly number[]): unknown {
  const { stravaId, firstName, lastName, isConnected } = person;
  return { strava_id: stravaId, first_name: firstName, last_name: lastName, is_connected: isConnected, clubs };
}

function readOptionalScope({ scope }: Control["body"]): { scope?: string } {
  return typeof scope === "string" ? { scope } : {};
}

function showEntry(entry: LedgerEntry): unknown {
  return {
    at: entry.atMs,
    method: entry.method,
    path: entry.path,
    kind: entry.kind,
    strava_id: entry.stravaId,
    activity_id: entry.activityId,
    page: entry.page,
    status: entry.status,
    is_counted: entry.isCounted,
    is_delivered: entry.isDelivered,
    fault_id: entry.faultId,
  };
}

function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw new ControlRefusal(404, `the sandbox has no activity ${id}`);
  return value;
}

function reply(status: number, body: unknown): Response {
  return new Response(toStravaJson(body), { status, headers: { "Content-Type": "application/json; charset=utf-8" } });
}
