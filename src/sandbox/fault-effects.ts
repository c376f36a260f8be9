import { type Answer, htmlAnswer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import type { FaultAction } from "./faults.ts";
import type { LedgerEntry } from "./ledger.ts";
import { knownBody, MAINTENANCE_PAGE } from "./strava-errors.ts";

/** What `fetch` throws when the peer closes the connection without an answer. */
export function connectionReset(code = "ECONNRESET"): TypeError {
  const error = new TypeError("The socket connection was closed unexpectedly.");
  return Object.assign(error, { code });
}

/** An outage's page comes from before Strava's application, which is who writes the rate headers. */
export function showsRateHeaders(action: FaultAction | undefined): boolean {
  switch (action?.type) {
    case "no_rate_headers":
    case "html":
      return false;
    case "status":
      return action.rateHeaders ?? action.html === undefined;
    default:
      return true;
  }
}

/** What is answered instead of acting, its own headers added to `headers`; undefined when Strava acts. */
export function faultyAnswer(action: FaultAction | undefined, headers: Record<string, string>): Answer | undefined {
  if (action?.type === "html") return htmlAnswer(action.status ?? 502, MAINTENANCE_PAGE);
  if (action?.type !== "status") return undefined;
  Object.assign(headers, action.headers);
  if (action.html !== undefined) return htmlAnswer(action.status, action.html);
  if (typeof action.body === "string") return jsonTextAnswer(action.status, action.body);
  return jsonAnswer(action.status, action.body ?? knownBody(action.status));
}

/** What reaches the client of the headers that Strava gave: changed in place. */
export function spoilHeaders(headers: Record<string, string>, action: FaultAction | undefined): void {
  if (action?.type !== "change_headers") return;
  for (const [name, value] of Object.entries(action.headers)) {
    for (const known of Object.keys(headers)) if (known.toLowerCase() === name.toLowerCase()) delete headers[known];
    if (value !== null) headers[name] = value;
  }
}

/** What reaches the client of the answer that Strava gave. */
export function spoilAnswer(
  answer: Answer,
  action: FaultAction | undefined,
  { kind, stravaId }: Pick<LedgerEntry, "kind" | "stravaId">,
): Answer {
  switch (action?.type) {
    case "truncated":
      return { ...answer, text: answer.text.slice(0, Math.floor(answer.text.length / 2)) };
    case "empty":
      return { ...answer, text: "" };
    case "wrong_athlete": {
      // It is an activity that is another's. Who a token belongs to, only Strava's word can tell.
      if (kind === "token") return answer;
      const id = stravaId ?? 0;
      return { ...answer, text: answer.text.replaceAll(`"athlete":{"id":${id},`, `"athlete":{"id":${id + 1},`) };
    }
    default:
      return answer;
  }
}
