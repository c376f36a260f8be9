import { STATUS_CODES } from "node:http";
import { status } from "elysia";

/** An error as `application/problem+json` tells it (RFC 9457). `detail` says what to do; `code` is stable. */
export type Problem = {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
} & ProblemExtras;

/** What else a problem may carry. */
export type ProblemExtras = {
  readonly trace_id?: string;
  /** The sync that stands in the way. */
  readonly sync_id?: string;
  /** What the schema refused: where, and why. Never the value: it may be a token. */
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
};

/** The media type of every answer from 400 on. */
export const PROBLEM_TYPE = "application/problem+json";

/** Builds a problem. */
export function problemOf(httpStatus: number, code: string, detail: string, extras: ProblemExtras = {}): Problem {
  const title = STATUS_CODES[httpStatus] ?? "Error";
  return { type: "about:blank", title, status: httpStatus, code, detail, ...extras };
}

/** A route's answer that refuses: return it from the handler. */
export function refuse<const Status extends number>(
  httpStatus: Status,
  code: string,
  detail: string,
  extras: ProblemExtras = {},
) {
  return status(httpStatus, problemOf(httpStatus, code, detail, extras));
}

/** A whole answer, for what is refused before any route is reached. */
export function problemResponse(
  httpStatus: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(problemOf(httpStatus, code, detail)), {
    status: httpStatus,
    headers: { "content-type": PROBLEM_TYPE, ...headers },
  });
}
