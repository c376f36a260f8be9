import { expect, test } from "bun:test";
import { isPublishable, type PublicationFacts } from "../../src/core/publication.ts";
import { DAY_MS, epochMs, plusMs } from "../../src/core/units.ts";

const NOW = epochMs(Date.UTC(2025, 10, 17, 12));
const RACE: PublicationFacts = {
  isConsented: true,
  isAthleteHidden: false,
  isRaceHidden: false,
  visibility: "everyone",
  withdrawnAtMs: null,
  lastSeenAtMs: plusMs(NOW, -7 * DAY_MS),
};

test("a race that nothing speaks against may be published", () => {
  expect(isPublishable(RACE, NOW)).toBe(true);
});

test.each<Partial<PublicationFacts>>([
  { isConsented: false },
  { isAthleteHidden: true },
  { isRaceHidden: true },
  { visibility: "followers_only" },
  { visibility: "only_me" },
  { withdrawnAtMs: NOW },
  { lastSeenAtMs: plusMs(NOW, -7 * DAY_MS - 1) },
])("one thing that speaks against it is enough: %p", (fact) => {
  expect(isPublishable({ ...RACE, ...fact }, NOW)).toBe(false);
});
