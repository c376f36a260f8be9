import type { RateCounters, RateObservation } from "../core/rate-headers.ts";

/**
 * Reads Strava's four rate headers. On the wire their casing varies (`X-Ratelimit-Limit`); `Headers` does not care.
 * @returns undefined when neither pair is there and well-formed.
 * @see https://developers.strava.com/docs/rate-limits each value is `<15 minutes>,<day>`
 */
export function parseRateHeaders(headers: Headers): RateObservation | undefined {
  const overall = parsePair(headers.get("x-ratelimit-limit"), headers.get("x-ratelimit-usage"));
  const read = parsePair(headers.get("x-readratelimit-limit"), headers.get("x-readratelimit-usage"));
  if (overall === undefined) return read === undefined ? undefined : { read };
  return read === undefined ? { overall } : { overall, read };
}

function parsePair(limitHeader: string | null, usageHeader: string | null): RateCounters | undefined {
  const limit = parseCounts(limitHeader);
  const usage = parseCounts(usageHeader);
  if (limit === undefined || usage === undefined) return undefined;
  // A limit of 0 would make everything wait for ever on the word of one odd answer; a real one shows as 429s.
  if (limit[0] === 0 || limit[1] === 0) return undefined;
  return { limit, usage };
}

/** `"200,2000"` as `[200, 2000]`; undefined for anything else, a header that was sent twice included. */
function parseCounts(header: string | null): readonly [number, number] | undefined {
  const match = header === null ? null : COUNTS.exec(header);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

const COUNTS = /^\s*(\d{1,9})\s*,\s*(\d{1,9})\s*$/;
