import { type TSchema, t } from "elysia";
import type { Scope } from "../db/schema-books.ts";

/** What the documentation says of a route, and what the gate enforces of it: the scope that it wants. */
export type Operation = {
  /** Half a sentence: what it does. */
  readonly summary: string;
  readonly description?: string;
  readonly tag:
    | "Athletes"
    | "Connecting"
    | "Syncs"
    | "Health"
    | "Races"
    | "Daemon"
    | "Webhook"
    | "Tokens"
    | "Audit"
    | "Alerts"
    | "Metrics"
    | "Probes";
  /** The scope that a caller needs; `public`: none, and no token either. */
  readonly scope: Scope | "public";
  /** What it takes, where the route reads its body by hand: elsewhere the route's own schema says so. */
  readonly body?: TSchema;
  /** Answers that are no errors, by status. No `schema`: no body. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Errors by status, beside those that any route has: what each means here. */
  readonly refusals?: Readonly<Record<number, string>>;
};
type Answer = { readonly description: string; readonly schema?: TSchema; readonly mediaType?: string };

/** Name of the security scheme in the document. */
export const BEARER = "bearer";

/** A route's `detail`: its part of the OpenAPI document. */
export function operation(told: Operation) {
  const { summary, description, tag, scope, body, answers, refusals = {} } = told;
  const asked =
    scope === "public"
      ? {}
      : {
          401: "No token, an unknown one or one that has expired.",
          403: `The token's scope is smaller than \`${scope}\`.`,
        };
  return {
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [tag],
    security: scope === "public" ? [] : [{ [BEARER]: [scope] }],
    ...(body === undefined ? {} : { requestBody: { content: { "application/json": { schema: asJsonSchema(body) } } } }),
    responses: {
      ...mapValues(answers, answerOf),
      ...mapValues({ ...asked, ...refusals }, refusalOf),
      default: refusalOf("Any other error."),
    },
  };
}

/** The errors of a route that takes a body. */
export const BODY_REFUSALS = {
  400: "The body is not JSON.",
  408: "The body did not come in time.",
  413: "The body is too large.",
  422: "The body is JSON, but not what is expected; `errors` says where.",
};
/** The errors of a list. */
export const LIST_REFUSALS = { 422: "A parameter is refused; `errors` says which." };

/** A point in time, as every answer gives it. */
export const Time = (description: string) =>
  t.Integer({ description: `${description} Milliseconds since the epoch, UTC.`, examples: [1763334772370] });
/** A whole number in a body: the number itself, where `t.Integer` would also take text that is one. */
export const Whole = (rules: { minimum: number; maximum?: number; description: string }) =>
  t.Number({ multipleOf: 1, maximum: Number.MAX_SAFE_INTEGER, ...rules });
/** The schema, or null. */
export const OrNull = <Schema extends TSchema>(schema: Schema) => t.Union([schema, t.Null()]);
/** One of these words. (`t.UnionEnum` would make the first one a default: a filter that nobody asked for.) */
export const Word = <const Words extends readonly string[]>(words: Words, description?: string) =>
  t.Unsafe<Words[number]>(
    t.Union(
      words.map((word) => t.Literal(word)),
      description === undefined ? {} : { description },
    ),
  );
/** A list's answer. */
export const PageOf = <Item extends TSchema>(item: Item) =>
  t.Object({
    items: t.Array(item),
    next_cursor: OrNull(t.String({ description: "Give it as `cursor` to get the next page; null on the last one." })),
  });

function answerOf({ description, schema, mediaType = "application/json" }: Answer) {
  return schema === undefined
    ? { description }
    : { description, content: { [mediaType]: { schema: asJsonSchema(schema) } } };
}

function refusalOf(description: string) {
  return { description, content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } };
}

function mapValues<Value, Mapped>(
  record: Readonly<Record<number, Value>>,
  map: (value: Value) => Mapped,
): Record<string, Mapped> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** TypeBox schemas are JSON Schema with symbols on top; without them they are what the document's types want. */
function asJsonSchema(schema: TSchema): Record<string, never> {
  return JSON.parse(JSON.stringify(schema));
}
