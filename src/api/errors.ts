import { Elysia, ParseError, status, ValidationError } from "elysia";
import { isBusy } from "../db/busy.ts";
import type { Log } from "../telemetry/log.ts";
import { expectationOf } from "./expectation.ts";
import { UnknownFieldsError } from "./known-fields.ts";
import { type Problem, problemOf } from "./problem.ts";

/** Turns whatever is thrown while a request is answered into a problem. What nobody foresaw is logged, and leaks nothing. */
export function errorAnswers(log: () => Log) {
  return new Elysia({ name: "errors" })
    .onTransform({ as: "global" }, ({ body }) => refuseBodyThatIsNoObject(body))
    .onError({ as: "global" }, ({ error, query }) => {
      const problem = problemOfError(error, query ?? {});
      if (problem.code === "internal") {
        const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
        log().error("api.failed", `A request could not be answered: ${stack}`);
      }
      return status(problem.status, problem);
    });
}

/** A body that is JSON, and neither an object nor left out: Elysia would take an array for an object without fields. */
class BodyNotObjectError extends Error {
  override readonly name = "BodyNotObjectError";
}

function refuseBodyThatIsNoObject(body: unknown): void {
  if (body === undefined || (typeof body === "object" && body !== null && !Array.isArray(body))) return;
  throw new BodyNotObjectError("The body is JSON, but no object");
}

function problemOfError(error: unknown, query: Readonly<Record<string, unknown>>): Problem {
  if (error instanceof ParseError) {
    return problemOf(
      400,
      "malformed_json",
      "The body is not JSON. Send one JSON object, or nothing where nothing is needed.",
    );
  }
  if (error instanceof BodyNotObjectError) {
    const errors = [{ field: "body", message: "expected an object" }];
    return problemOf(422, "invalid_request", "The body is JSON, but no object. Send one.", { errors });
  }
  if (error instanceof UnknownFieldsError) return refused(error.fields);
  if (error instanceof ValidationError) return refusedBySchema(error, query);
  if (isBusy(error)) {
    return problemOf(
      503,
      "database_busy",
      "Another program holds the database's write lock. Nothing was changed; try again.",
    );
  }
  return problemOf(
    500,
    "internal",
    "Something went wrong that nobody foresaw. The log of the daemon says what; report it.",
  );
}

/** Fields are told by name and rule only: a value may be a token. The first complaint about a field is enough. */
function refusedBySchema(error: ValidationError, query: Readonly<Record<string, unknown>>): Problem {
  const messages = new Map<string, string>();
  for (const one of error.all) {
    if (!("schema" in one)) continue;
    // A number in a query is first read and then held against its bounds; by then its name is lost.
    const isBareValue = error.type === "property";
    const name = isBareValue ? Object.keys(query).find((key) => Number(query[key]) === error.value) : one.path.slice(1);
    const field = (name ?? "").replaceAll("/", ".") || error.type;
    const said = one.value === undefined ? "is missing; expected" : "expected";
    if (!messages.has(field)) messages.set(field, `${said} ${expectationOf(one.schema)}`);
  }
  return refused([...messages].slice(0, MAX_ERRORS_TOLD).map(([field, message]) => ({ field, message })));
}

function refused(errors: readonly { readonly field: string; readonly message: string }[]): Problem {
  const sentence = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return problemOf(422, "invalid_request", `${sentence}. /swagger says what this route takes.`, { errors });
}

const MAX_ERRORS_TOLD = 20;
