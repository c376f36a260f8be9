/**
 * The OpenAPI document. `@elysiajs/swagger` collects it from the routes; what it gives is no valid OpenAPI, so it is
 * put right here, and a test holds it against the standard's own schema.
 */
import { swagger } from "@elysiajs/swagger";
import { type AnyElysia, Elysia, t } from "elysia";
import { isNumberAsText } from "./expectation.ts";
import { BEARER } from "./operation.ts";

/** JSON, as far as this file needs to know it. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** An OpenAPI 3.1.0 document. */
export type OpenApiDocument = JsonObject;

const ProblemJson = t.Object({
  type: t.Literal("about:blank"),
  title: t.String({ description: "The status in words." }),
  status: t.Integer(),
  code: t.String({ description: "What went wrong; stable." }),
  detail: t.String({ description: "What happened and what to do, for a person." }),
  trace_id: t.Optional(t.String()),
  sync_id: t.Optional(t.String({ description: "The sync that stands in the way." })),
  errors: t.Optional(
    t.Array(t.Object({ field: t.String(), message: t.String() }), { description: "What a schema refused, and where." }),
  ),
  reasons: t.Optional(t.Array(t.String(), { description: "Why the daemon is not ready." })),
});

const DOCUMENT_PATH = "/document";

/** Collects the documentation of an app's routes. The plugin sits on an app of its own, so that nobody reaches its page. */
export async function makeOpenApiDocument(app: AnyElysia, version: string): Promise<OpenApiDocument> {
  const collector = new Elysia()
    .use(
      swagger({
        path: DOCUMENT_PATH,
        specPath: `${DOCUMENT_PATH}/json`,
        excludeStaticFile: false,
        exclude: [DOCUMENT_PATH, `${DOCUMENT_PATH}/json`],
      }),
    )
    .use(app);
  const response = await collector.handle(new Request(`http://localhost${DOCUMENT_PATH}/json`));
  const raw = (await response.json()) as JsonObject;
  return {
    openapi: "3.1.0",
    info: {
      title: "Broomwagon",
      version,
      description: "Keeps a running club's race results in step with Strava, and says what it does about stalls.",
      license: { name: "MIT", identifier: "MIT" },
    },
    // From /swagger/json, one up: also behind a proxy that adds a path.
    servers: [{ url: "..", description: "This daemon." }],
    tags: TAGS,
    paths: normalizePaths(asObject(raw.paths)),
    components: {
      securitySchemes: {
        [BEARER]: {
          type: "http",
          scheme: "bearer",
          description: "A token of scope read, operate or admin; each holds those before it.",
        },
      },
      schemas: { Problem: normalizeSchema(JSON.parse(JSON.stringify(ProblemJson)) as Json) },
    },
  };
}

const TAGS = [
  { name: "Athletes", description: "Who is synced." },
  { name: "Connecting", description: "How athletes come in, and who may." },
  { name: "Syncs", description: "What is going on, and what went on." },
  { name: "Health", description: "Stalls, findings and remedies." },
  { name: "Races", description: "What was found." },
  { name: "Daemon", description: "Quota, schedule, pause." },
  { name: "Webhook", description: "Strava's events: the subscription, and where they come in." },
  { name: "Tokens", description: "Who may use this API." },
  { name: "Probes", description: "For whoever restarts and routes." },
];

function normalizePaths(paths: JsonObject): JsonObject {
  return mapObject(paths, (methods) =>
    mapObject(asObject(methods), (operation) => normalizeOperation(asObject(operation))),
  );
}

function normalizeOperation(operation: JsonObject): JsonObject {
  const { parameters, requestBody, responses, ...rest } = operation;
  return {
    ...rest,
    ...(Array.isArray(parameters) && parameters.length > 0 ? { parameters: parameters.map(normalizeParameter) } : {}),
    ...(requestBody === undefined ? {} : { requestBody: normalizeBody(asObject(requestBody)) }),
    responses: mapObject(asObject(responses), (response) => normalizeResponse(asObject(response))),
  };
}

/** OpenAPI has no `examples` array on a parameter, and a default belongs to its schema. */
function normalizeParameter(parameter: Json): Json {
  const { name, in: place, description, required, schema } = asObject(parameter);
  return {
    name: name ?? "",
    in: place ?? "query",
    ...(description === undefined ? {} : { description }),
    required: place === "path" ? true : (required ?? false),
    schema: normalizeSchema(schema ?? {}),
  };
}

/** Bodies are JSON. One is needed where something in it is. */
function normalizeBody(body: JsonObject): JsonObject {
  const schema = normalizeSchema(asObject(asObject(body.content)["application/json"]).schema ?? {});
  const required = asObject(schema).required;
  return { required: Array.isArray(required) && required.length > 0, content: { "application/json": { schema } } };
}

function normalizeResponse(response: JsonObject): JsonObject {
  const { description, content } = response;
  const bodies = mapObject(asObject(content), (media) => ({ schema: normalizeSchema(asObject(media).schema ?? {}) }));
  return { description: description ?? "", ...(Object.keys(bodies).length === 0 ? {} : { content: bodies }) };
}

/** TypeBox's and Elysia's own keywords go; a choice of constants is an enum; Elysia's "number, or text that is one" is a number. */
function normalizeSchema(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(normalizeSchema);
  if (typeof schema !== "object" || schema === null) return schema;
  const { $id: _id, nullable: _nullable, ...kept } = schema as JsonObject;
  const choices = kept.anyOf;
  if (Array.isArray(choices)) {
    const constants = choices.map((choice) => asObject(choice).const);
    if (constants.every((constant) => constant !== undefined)) {
      const { anyOf: _anyOf, ...rest } = kept;
      return { ...rest, type: "string", enum: constants };
    }
    const [text, number, ...more] = choices;
    if (more.length === 0 && isNumberAsText(asObject(text)) && number !== undefined) return normalizeSchema(number);
  }
  const { multipleOf, ...rest } = kept;
  return mapObject(multipleOf === 1 ? { ...rest, type: "integer" } : kept, normalizeSchema);
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function mapObject(object: JsonObject, map: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
