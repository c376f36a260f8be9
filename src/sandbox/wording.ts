import { type Answer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import {
  ACTIVITY_NOT_FOUND,
  ACTIVITY_NOT_FOUND_OLD,
  RATE_LIMIT_EXCEEDED,
  RATE_LIMIT_EXCEEDED_SHORT,
} from "./strava-errors.ts";

/** How Strava words what it refuses, where more than one way was seen. */
export type Wording = {
  /** A 404 of an activity: "Resource Not Found", "Record Not Found", or no body. */
  readonly notFound: keyof typeof NOT_FOUND;
  /** The `field` of a 429. */
  readonly tooMany: keyof typeof TOO_MANY;
};

export const WORDING_DEFAULT: Wording = { notFound: "current", tooMany: "overall rate limit" };

const NOT_FOUND = {
  current: jsonAnswer(404, ACTIVITY_NOT_FOUND),
  old: jsonAnswer(404, ACTIVITY_NOT_FOUND_OLD),
  empty: jsonTextAnswer(404, ""),
};

const TOO_MANY = {
  "overall rate limit": jsonAnswer(429, RATE_LIMIT_EXCEEDED),
  "rate limit": jsonAnswer(429, RATE_LIMIT_EXCEEDED_SHORT),
};

export const NOT_FOUND_WORDINGS = ["current", "old", "empty"] as const satisfies readonly Wording["notFound"][];
export const TOO_MANY_WORDINGS = ["overall rate limit", "rate limit"] as const satisfies readonly Wording["tooMany"][];

export function notFoundAnswer({ notFound }: Wording): Answer {
  return NOT_FOUND[notFound];
}

export function tooManyAnswer({ tooMany }: Wording): Answer {
  return TOO_MANY[tooMany];
}
