/** Reads what Strava sends, field by field. What is wrong is told by place and type, never by value: it may be a secret. */

/** What a payload turned out to be. `reason` names the place, what was expected and the type found, never the value. */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string };

/** A JSON object whose fields nobody has looked at yet. */
export type Json = { readonly [field: string]: unknown };

/** Parses a body. The error would quote it, so none is passed on. */
export function parseJson(text: string): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, reason: text === "" ? "empty" : "not JSON, or cut off" };
  }
}

/** Parses a body, and then what it holds. */
export function parseJsonAs<Value>(text: string, parse: (body: unknown) => Parsed<Value>): Parsed<Value> {
  const body = parseJson(text);
  return body.ok ? parse(body.value) : body;
}

/** A reader deep in a payload ends the whole of it; `attempt` catches it. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

/** Reads with the readers below: the value, or where it went wrong. */
export function attempt<Value>(read: () => Value): Parsed<Value> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, reason: error.message };
    throw error;
  }
}

/** An id that a JSON number holds exactly. */
export function readId(raw: Json, field: string, path = field): number {
  const id = readRequired(raw, field, "number", path);
  // Past 2^53 - 1 two ids become one number.
  if (!Number.isSafeInteger(id) || id <= 0) throw new Malformed(`${path}: not a positive integer below 2^53`);
  return id;
}

type Named = { string: string; number: number; object: Json };

/** The field; ends the reading when it is missing. */
export function readRequired<Name extends keyof Named>(
  raw: Json,
  field: string,
  type: Name,
  path = field,
): Named[Name] {
  const value = readOptional(raw, field, type, path);
  if (value === null) throw new Malformed(`${path}: missing`);
  return value;
}

/** The field, or null when it is null or missing. JSON knows no NaN, but `1e999` parses to infinity. */
export function readOptional<Name extends keyof Named>(
  raw: Json,
  field: string,
  type: Name,
  path = field,
): Named[Name] | null {
  const value = raw[field];
  if (value === undefined || value === null) return null;
  if (typeof value !== type || Array.isArray(value) || value === Infinity || value === -Infinity) {
    throw new Malformed(`${path}: expected ${NAMES[type]}, got ${nameType(value)}`);
  }
  return value as Named[Name];
}

/** The value as an object; ends the reading when it is none. */
export function readObject(value: unknown, path: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed(`${path}: expected an object, got ${nameType(value)}`);
  }
  return value as Json;
}

const NAMES = { string: "a string", number: "a finite number", object: "an object" } as const;

/** What kind of value it is, in words. */
export function nameType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return value === Infinity || value === -Infinity ? "an infinite number" : `a ${typeof value}`;
}
