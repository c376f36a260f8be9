import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  classRank,
  endOfListed,
  firstCursor,
  heldToPresent,
  type ListCursor,
  nextCursor,
  PAGE_SIZE,
  reachedAtStrava,
  startOfWalk,
} from "../../src/core/sync.ts";
import { epochMs, epochSeconds } from "../../src/core/units.ts";

const cursor = (beforeSeconds: number, page: number): ListCursor => ({
  beforeSeconds: epochSeconds(beforeSeconds),
  page,
});
const page = (itemCount: number, oldest?: number) => ({
  itemCount,
  oldestStartSeconds: oldest === undefined ? undefined : epochSeconds(oldest),
});

test("what Strava's clock has reached is told with a doubt of two seconds, where it is behind ours", () => {
  const nowMs = epochMs(1_763_334_772_999);
  expect([0, 1, 90_000].map((skewMs): number => reachedAtStrava(nowMs, skewMs))).toEqual(Array(3).fill(1_763_334_772));
  expect([-1, -90_000].map((skewMs): number => reachedAtStrava(nowMs, skewMs))).toEqual([1_763_334_770, 1_763_334_680]);
});

test("a first page is held to Strava's present, and no page behind it", () => {
  const held = (at: ListCursor, listTo: number | null) =>
    heldToPresent(at, listTo === null ? null : epochSeconds(listTo), epochSeconds(1_000));
  // Begun by a clock that is ahead; also where a hand moved it on, or where nobody knows where the walk began.
  expect([held(cursor(1_500, 1), 1_500), held(cursor(9_000, 1), 1_500), held(cursor(1_500, 1), null)]).toEqual(
    Array(3).fill(cursor(1_000, 1)),
  );
  expect([held(cursor(1_000, 1), 1_000), held(cursor(900, 1), null)]).toEqual([cursor(1_000, 1), cursor(900, 1)]);
  // What follows begins where an activity did, and is asked for as it is, whatever a clock says.
  const later = [cursor(1_499, 1), cursor(1_500, 2), { ...cursor(1_500, 1), resumeBeforeSeconds: epochSeconds(1_400) }];
  expect(later.map((at) => held(at, 1_500))).toEqual(later);
});

test("the walk begins at the second of the start, never after it", () => {
  expect(firstCursor(epochMs(1_763_334_772_000))).toEqual(cursor(1_763_334_772, 1));
  expect(firstCursor(epochMs(1_763_334_772_999))).toEqual(cursor(1_763_334_772, 1));
});

test("a walk begins where that is noted, else, once it is under way, at its sync's start", () => {
  const start = (listToSeconds: number | null, activitiesListed: number) =>
    startOfWalk({
      startedAtMs: epochMs(5_999),
      activitiesListed,
      listToSeconds: listToSeconds === null ? null : epochSeconds(listToSeconds),
    });
  expect([start(4, 0), start(4, 1), start(null, 0), start(null, 1)].map(Number)).toEqual([4, 4, 0, 5]);
  expect(start(null, 0)).toBeNull();
});

test("a list ends where its walk began, or earlier, where Strava's clock turns out to have been behind that", () => {
  const startedAtMs = epochMs(1_763_334_772_999);
  const end = (listToSeconds: number | null, skewMs: number): number =>
    endOfListed({ startedAtMs, listToSeconds: listToSeconds === null ? null : epochSeconds(listToSeconds) }, skewMs);
  expect([end(null, 0), end(null, 90_000), end(null, -90_000)]).toEqual([1_763_334_772, 1_763_334_772, 1_763_334_682]);
  // Begun by a clock of Strava's that was thought to be 90 s behind; what is known of it since makes it no later.
  expect([0, 90_000, -90_000, -90_999, -91_000].map((skewMs) => end(1_763_334_682, skewMs))).toEqual([
    1_763_334_682, 1_763_334_682, 1_763_334_682, 1_763_334_682, 1_763_334_681,
  ]);
});

test("after a full page the walk goes on one second after the oldest start seen", () => {
  expect(nextCursor(cursor(1_000, 1), page(PAGE_SIZE, 500))).toEqual(cursor(501, 1));
  expect(nextCursor(cursor(1_000, 3), page(PAGE_SIZE, 998))).toEqual(cursor(999, 1));
});

test("a full page within one second moves on by page, as does one that Strava sorted strangely", () => {
  expect(nextCursor(cursor(1_000, 1), page(PAGE_SIZE, 999))).toEqual(cursor(1_000, 2));
  expect(nextCursor(cursor(1_000, 2), page(PAGE_SIZE, 1_500))).toEqual(cursor(1_000, 3));
});

test("a full page of which nothing could be read moves on by page", () => {
  expect(nextCursor(cursor(1_000, 1), page(PAGE_SIZE))).toEqual(cursor(1_000, 2));
});

test("a short page is not the end, one item under full or nearly empty", () => {
  const resumesAt = (seconds: number) => ({ resumeBeforeSeconds: epochSeconds(seconds) });
  expect(nextCursor(cursor(1_000, 1), page(PAGE_SIZE - 1, 500))).toEqual({ ...cursor(1_000, 2), ...resumesAt(501) });
  expect(nextCursor(cursor(1_000, 4), page(1, 3))).toEqual({ ...cursor(1_000, 5), ...resumesAt(4) });
  // Where the short page ends in the very second before which it was asked for, time would not move.
  expect(nextCursor(cursor(1_000, 1), page(PAGE_SIZE - 1, 999))).toEqual(cursor(1_000, 2));
});

test("a short page that turns out not to be the last is gone on from by time: its tail may have moved up meanwhile", () => {
  const behindShort = { ...cursor(1_000, 2), resumeBeforeSeconds: epochSeconds(501) };
  expect(nextCursor(behindShort, page(PAGE_SIZE, 300))).toEqual(cursor(501, 1));
  expect(nextCursor(behindShort, page(1, 300))).toEqual(cursor(501, 1));
  expect(nextCursor(behindShort, page(0))).toBe("end");
});

test("only an empty page is the end", () => {
  expect(nextCursor(cursor(1_000, 1), page(0))).toBe("end");
  expect(nextCursor(cursor(1_000, 7), page(0, 3))).toBe("end");
});

test("people who wait come before those that nobody waits for", () => {
  const classes = ["schedule", "connect", "manual", "event"] as const;
  expect([...classes].sort((a, b) => classRank(a) - classRank(b))).toEqual(["manual", "event", "connect", "schedule"]);
  expect(classRank("manual")).toBe(0);
});

type Activity = { id: number; start: number; isVisible: boolean };

/** Strava's list: newest first, started before the cursor; a page leaves out what the token may not see. */
function listed(activities: readonly Activity[], at: ListCursor, pageSize: number): Activity[] {
  return activities
    .filter((one) => one.start < at.beforeSeconds)
    .sort((a, b) => b.start - a.start || b.id - a.id)
    .slice((at.page - 1) * pageSize, at.page * pageSize)
    .filter((one) => one.isVisible);
}

function walk(activities: readonly Activity[], pageSize: number): { seen: Set<number>; requests: number } {
  const seen = new Set<number>();
  let at: ListCursor | "end" = cursor(100_000, 1);
  let requests = 0;
  while (at !== "end") {
    if (++requests > 10 * activities.length + 10) throw new Error(`the walk does not end: ${JSON.stringify(at)}`);
    const items = listed(activities, at, pageSize);
    for (const one of items) seen.add(one.id);
    const oldest = items.length === 0 ? undefined : Math.min(...items.map((one) => one.start));
    at = nextCursor(at, page(items.length, oldest), pageSize);
  }
  return { seen, requests };
}

const PAGES = fc.integer({ min: 1, max: 6 });
/** Sizes around multiples of the page size, in few or many different seconds. */
const lists = PAGES.chain((pageSize) =>
  fc
    .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -1, max: 1 }), fc.integer({ min: 1, max: 12 }))
    .chain(([pages, more, seconds]) =>
      fc.record({
        pageSize: fc.constant(pageSize),
        starts: fc.array(fc.integer({ min: 90_000, max: 90_000 + seconds }), {
          minLength: Math.max(0, pages * pageSize + more),
          maxLength: Math.max(0, pages * pageSize + more),
        }),
        hidden: fc.array(fc.nat({ max: 40 }), { maxLength: 6 }),
      }),
    ),
);

test("the walk ends and lists every activity, however many share a second at a page's edge", () => {
  fc.assert(
    fc.property(lists, ({ pageSize, starts }) => {
      const activities = starts.map((start, id) => ({ id, start, isVisible: true }));
      expect(walk(activities, pageSize).seen.size).toBe(activities.length);
    }),
    { numRuns: 400 },
  );
});

test("the walk ends and lists every visible activity when pages in the middle come short", () => {
  fc.assert(
    fc.property(lists, ({ pageSize, starts, hidden }) => {
      const activities = starts.map((start, id) => ({ id, start, isVisible: !hidden.includes(id) }));
      // A page of which nothing is visible looks like the end, and nobody can tell: such lists are left out.
      fc.pre(!hasInvisiblePage(activities, pageSize));
      const visible = activities.filter((one) => one.isVisible).map((one) => one.id);
      const { seen } = walk(activities, pageSize);
      expect([...seen].sort((a, b) => a - b)).toEqual(visible);
    }),
    { numRuns: 400 },
  );
});

test("a list costs one request a page and one for the end, plus what the overlap of one second adds", () => {
  const requests = (count: number) =>
    walk(
      Array.from({ length: count }, (_, id) => ({ id, start: 90_000 + id * 7, isVisible: true })),
      4,
    ).requests;
  // Each full page but the first shows one activity again, so pages of 4 list 4, then 3 more each.
  expect([0, 1, 3, 4, 6, 7, 9, 10].map(requests)).toEqual([1, 2, 2, 3, 3, 4, 4, 5]);
});

function hasInvisiblePage(activities: readonly Activity[], pageSize: number): boolean {
  let run = 0;
  for (const one of [...activities].sort((a, b) => b.start - a.start || b.id - a.id)) {
    run = one.isVisible ? 0 : run + 1;
    if (run >= pageSize) return true;
  }
  return false;
}

test("a page is as large as Strava allows", () => {
  expect(PAGE_SIZE).toBe(200);
});
