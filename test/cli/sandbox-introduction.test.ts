import { expect, test } from "bun:test";
import { sandboxIntroduction } from "../../src/cli/sandbox-introduction.ts";
import { createSandbox } from "../../src/sandbox/sandbox.ts";
import { FakeClock } from "../support/fake-clock.ts";

function introduce(unconnected: number): string {
  const club = { athletes: 3, activitiesEach: 1, unconnected };
  const sandbox = createSandbox({ clock: new FakeClock(0), seed: 1, club });
  const url = "http://127.0.0.1:8721";
  return sandboxIntroduction({
    url,
    seed: 1,
    people: sandbox.people(),
    athletes: sandbox.athletes(),
    quota: sandbox.quota(),
  });
}

test("it says how to start a daemon, how to sign in, how to import and how to make an event", () => {
  const text = introduce(1);
  for (const part of [
    "3 athletes, 1 of them not connected",
    "BROOMWAGON_STRAVA_OAUTH_URL=http://127.0.0.1:8721/oauth",
    "BROOMWAGON_PUBLIC_URL=http://127.0.0.1:8720 ",
    "open http://127.0.0.1:8720/auth/strava",
    'curl -sS http://127.0.0.1:8721/sandbox/activities -d \'{"athlete":26500001,',
  ]) {
    expect(text).toContain(part);
  }
  expect(text.match(/api\/admin\/athletes/g)).toHaveLength(2);
});

test("where all are connected it counts no others; where none is, nobody can be imported", () => {
  expect(introduce(0)).toContain("3 athletes)");
  expect(introduce(3)).not.toContain("mport");
});
