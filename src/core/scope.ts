/**
 * What is asked of an athlete, as Strava writes it. Each is a box on its page: with `activity:read_all` alone, who does not
 * want to show their private activities could only untick everything.
 */
export const WANTED_SCOPE = "read,activity:read,activity:read_all";

/** What may be read by what was granted. */
export type Readable =
  | "all" // private activities too
  | "shared" // what the athlete shares with everyone or with followers
  | "nothing" // no activity at all: the athlete unticked it
  | "unknown"; // nobody said; the first request will tell

/** What an athlete has granted. */
export type Granted = {
  /** As Strava writes it, in its order; empty where nobody said. */
  readonly scope: string;
  readonly reads: Readable;
};

/**
 * What an athlete has granted, by those who told: the address that Strava sent them back with, and its answer to the code.
 * Either may be silent. Only what each of them names was granted: an address can be changed by hand, and an answer may
 * tell of an older grant.
 */
export function combineScopes(told: readonly (string | undefined)[]): Granted {
  const lists = told.filter((text) => text !== undefined).map(parseScope);
  const [first = [], ...others] = lists;
  if (lists.length === 0) return { scope: "", reads: "unknown" };
  const granted = first.filter((scope) => others.every((list) => list.includes(scope)));
  return { scope: granted.join(","), reads: readableBy(lists) };
}

/** `activity:read_all` holds `activity:read`, so that lists are compared by what they allow, and not by their words. */
function readableBy(lists: readonly (readonly string[])[]): Readable {
  if (lists.every((list) => list.includes("activity:read_all"))) return "all";
  const reads = (list: readonly string[]) => list.includes("activity:read_all") || list.includes("activity:read");
  return lists.every(reads) ? "shared" : "nothing";
}

/** Strava separates by commas; older texts of its own by spaces. What is no scope is dropped. */
function parseScope(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/))].filter((word) => /^[a-z_]+(:[a-z_]+)?$/.test(word)).slice(0, MOST_SCOPES);
}

/** Strava has seven. */
const MOST_SCOPES = 20;
