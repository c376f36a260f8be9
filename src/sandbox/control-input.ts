import type { ActivityPatch } from "./activity.ts";
import type { DeliveryLevers } from "./event-delivery.ts";
import type { FaultAction, FaultRule } from "./faults.ts";
import type { RequestKind } from "./ledger.ts";
import type { QuotaLimits } from "./quota-windows.ts";
import type { DurationWish } from "./roll-duration.ts";

/** A control request that cannot be done, and why. */
export class ControlRefusal extends Error {
  override readonly name = "ControlRefusal";
  constructor(
    readonly status: 400 | 404,
    message: string,
  ) {
    super(message);
  }
}

/** The body as an object; an empty body is an empty object. @throws ControlRefusal when it is anything else */
export async function readFields(request: Request): Promise<Record<string, unknown>> {
  const text = await request.text();
  if (text === "") return {};
  try {
    return readObject(JSON.parse(text), "the body");
  } catch (error) {
    if (error instanceof ControlRefusal) throw error;
    throw new ControlRefusal(400, "the body is not JSON");
  }
}

/** A number, or a text of digits as it comes in a path or query. @throws ControlRefusal */
export function readNumber(value: unknown, name: string): number {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) throw new ControlRefusal(400, `${name} must be a number`);
  return number;
}

/** @throws ControlRefusal */
export function readNumbers(value: unknown, name: string): number[] {
  if (!Array.isArray(value)) throw new ControlRefusal(400, `${name} must be a list of numbers`);
  return value.map((each) => readNumber(each, `each of ${name}`));
}

/** The fields of an activity, with Strava's names; `athlete` says whose it is and is none of them. */
export function readPatch(body: Record<string, unknown>): ActivityPatch {
  const { athlete: _owner, ...fields } = body;
  if (fields.start_date !== undefined && !Number.isFinite(Date.parse(String(fields.start_date)))) {
    throw new ControlRefusal(400, "start_date must be a time like 2025-10-19T20:00:00Z");
  }
  // Whoever tampers with the truth may put in any shape: that is what it is for.
  return fields as ActivityPatch;
}

/** `{overall?: {quarter?, day?}, read?: {…}}` */
export function readLimits(body: Record<string, unknown>): {
  overall?: Partial<QuotaLimits>;
  read?: Partial<QuotaLimits>;
} {
  const limits: { overall?: Partial<QuotaLimits>; read?: Partial<QuotaLimits> } = {};
  for (const kind of ["overall", "read"] as const) {
    if (body[kind] === undefined) continue;
    const { quarter, day } = readObject(body[kind], kind);
    limits[kind] = {
      ...(quarter === undefined ? undefined : { quarter: readNumber(quarter, `${kind}.quarter`) }),
      ...(day === undefined ? undefined : { day: readNumber(day, `${kind}.day`) }),
    };
  }
  return limits;
}

/** `{drop?, double?, delay_ms?: number or {min, max}, hold?}` */
export function readDelivery(body: Record<string, unknown>): Partial<DeliveryLevers> {
  return {
    ...(body.drop === undefined ? undefined : { drop: readNumber(body.drop, "drop") }),
    ...(body.double === undefined ? undefined : { double: readNumber(body.double, "double") }),
    ...(body.delay_ms === undefined ? undefined : { delayMs: readDuration(body.delay_ms, "delay_ms") }),
    ...(body.hold === undefined ? undefined : { hold: body.hold === true }),
  };
}

function readDuration(value: unknown, name: string): DurationWish {
  if (typeof value === "number") return readNumber(value, name);
  const { min, max } = readObject(value, name);
  return { min: readNumber(min, `${name}.min`), max: readNumber(max, `${name}.max`) };
}

/** A rule in snake_case, `times` a number or "always". @throws ControlRefusal for an unknown action or kind */
export function readFaultRule(body: Record<string, unknown>): FaultRule {
  const match = readObject(body.match ?? {}, "match");
  const optional = (key: string, name: string) =>
    match[key] === undefined ? undefined : { [name]: readNumber(match[key], `match.${key}`) };
  return {
    match: {
      ...optional("nth", "nth"),
      ...optional("athlete", "athlete"),
      ...optional("activity_id", "activityId"),
      ...optional("page", "page"),
      ...optional("share", "share"),
      ...(match.kind === undefined
        ? undefined
        : { kind: [match.kind].flat().map((kind) => readOneOf(kind, KINDS, "match.kind")) }),
    },
    times: body.times === "always" ? Number.POSITIVE_INFINITY : readNumber(body.times ?? 1, "times"),
    ...(body.for_ms === undefined ? undefined : { forMs: readNumber(body.for_ms, "for_ms") }),
    action: readAction(readObject(body.action, "action")),
  };
}

function readAction(action: Record<string, unknown>): FaultAction {
  switch (action.type) {
    case "status":
      return {
        type: "status",
        status: readStatus(action.status),
        ...(action.body === undefined ? undefined : { body: action.body }),
        ...(typeof action.html === "string" ? { html: action.html } : undefined),
        ...(action.headers === undefined ? undefined : { headers: readHeaders(action.headers) }),
        ...(typeof action.rate_headers === "boolean" ? { rateHeaders: action.rate_headers } : undefined),
      };
    case "html":
      return { type: "html", ...(action.status === undefined ? undefined : { status: readStatus(action.status) }) };
    case "slow":
      return { type: "slow", ms: readNumber(action.ms, "action.ms") };
    case "change_headers":
      return { type: "change_headers", headers: readHeaderChanges(action.headers) };
    case "truncated":
    case "empty":
    case "hang":
    case "reset":
    case "lost_response":
    case "no_rate_headers":
    case "wrong_athlete":
      return { type: action.type };
    default:
      throw new ControlRefusal(400, `there is no fault ${String(action.type)}: see the actions of a fault rule`);
  }
}

/** Outside of these a response cannot be built at all. */
function readStatus(value: unknown): number {
  const status = readNumber(value, "action.status");
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new ControlRefusal(400, "action.status must be from 200 to 599");
  }
  return status;
}

function readHeaders(value: unknown): Record<string, string> {
  const pairs = Object.entries(readObject(value, "action.headers"));
  return Object.fromEntries(pairs.map(([name, text]) => [name, String(text)]));
}

/** As `readHeaders` does, with null for a header that is taken away. */
function readHeaderChanges(value: unknown): Record<string, string | null> {
  const pairs = Object.entries(readObject(value, "action.headers"));
  return Object.fromEntries(pairs.map(([name, text]) => [name, text === null ? null : String(text)]));
}

const KINDS: readonly RequestKind[] = [
  "list",
  "detail",
  "athlete",
  "clubs",
  "subscription",
  "upload",
  "authorize",
  "token",
  "revoke",
  "deauthorize",
  "other",
];

/** @throws ControlRefusal, naming what there is */
export function readOneOf<const T extends string>(value: unknown, known: readonly T[], name: string): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw new ControlRefusal(400, `${name} must be one of ${known.join(", ")}`);
  return found;
}

function readObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ControlRefusal(400, `${name} must be an object`);
  }
  return value as Record<string, unknown>;
}
