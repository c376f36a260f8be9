import { expect, test } from "bun:test";
import { seededDice } from "../../src/core/dice.ts";
import { list, NOW_SECONDS, startingAt, type Visit, visit } from "./visit.ts";

/**
 * Walks the list as a careful client does: after a full page down from its oldest start, after a short one to the next
 * page, until an empty one. @returns the ids in the order they were met
 */
async function walk(place: Visit, perPage: number): Promise<number[]> {
  const met: number[] = [];
  let before = NOW_SECONDS;
  let page = 1;
  for (let request = 0; request < 1_000; request++) {
    const listed = await list(place, `?before=${before}&page=${page}&per_page=${perPage}`);
    if (listed.length === 0) return met;
    met.push(...listed.map(({ id }) => id));
    const next = Math.min(...listed.map(({ start_date }) => Date.parse(start_date) / 1_000)) + 1;
    if (listed.length === perPage && next < before) {
      before = next;
      page = 1;
    } else {
      page++;
    }
  }
  throw new Error("the walk did not end");
}

test.each([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => [seed, seed % 2 === 0] as const))(
  "a walk meets every activity, however dense and however short the pages (seed %p, `before` inclusive %p)",
  async (seed, beforeInclusive) => {
    const dice = seededDice(seed);
    const dense = Array.from({ length: 60 }, (_, place) =>
      startingAt(-10 - Math.floor(dice() * 25), { id: 1_000 + place }),
    );
    const place = visit(dense, { beforeInclusive });
    for (let short = 0; short < seed % 3; short++) {
      place.sandbox.shortenPage(place.athlete.stravaId, { page: 2 + short * 3, size: 1 + short, perPage: 7 });
    }
    expect(new Set(await walk(place, 7)).size).toBe(60);
  },
);
