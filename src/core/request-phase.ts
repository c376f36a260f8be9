/** What a request was for. */
export const REQUEST_PHASES = [
  "discovery",
  "enrichment",
  "event", // a look that one of Strava's events started
  "club", // whether somebody who signs in is a member
  "deauthorize", // the older way to end a grant
  "probe", // whether Strava answers at all
  // Strava counts none of these.
  "connect", // a code is traded for tokens
  "token",
  "revoke",
  "webhook", // the subscription to events
] as const;
export type RequestPhase = (typeof REQUEST_PHASES)[number];

/** What came of a request, as it is counted: few, whatever Strava may answer. */
export const STATUS_CLASSES = ["none", "2xx", "3xx", "4xx", "429", "5xx"] as const;
export type StatusClass = (typeof STATUS_CLASSES)[number];

/** The class of an HTTP status; 0: nobody learned it. */
export function statusClass(status: number): StatusClass {
  if (status === 429) return "429";
  if (status >= 200 && status < 300) return "2xx";
  if (status >= 300 && status < 400) return "3xx";
  if (status >= 400 && status < 500) return "4xx";
  return status >= 500 ? "5xx" : "none";
}
