import { toStravaJson } from "./activity.ts";

/** What Strava answers, before rate headers and date. */
export type Answer = {
  readonly status: number;
  readonly text: string;
  readonly contentType: string;
  /** Others than the content type. */
  readonly headers?: Readonly<Record<string, string>>;
};

export function jsonAnswer(status: number, body: unknown): Answer {
  return jsonTextAnswer(status, toStravaJson(body));
}

/** For a body that is written already, or that is no JSON at all and says that it is. */
export function jsonTextAnswer(status: number, text: string): Answer {
  return { status, text, contentType: "application/json; charset=utf-8" };
}

export function htmlAnswer(status: number, html: string): Answer {
  return { status, text: html, contentType: "text/html; charset=utf-8" };
}
