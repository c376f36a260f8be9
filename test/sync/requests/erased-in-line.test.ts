import { expect, test } from "bun:test";
import { athleteId, SECOND_MS } from "../../../src/core/units.ts";
import type { Reply } from "../../../src/strava/reply.ts";
import { forgetAthlete } from "../../../src/sync/athletes/forget-athlete.ts";
import { emptyDb } from "../../support/database.ts";
import { createTestEngine } from "../../support/engine.ts";

const ANSWER: Reply<string> = {
  ok: true,
  value: "an answer",
  status: 200,
  durationMs: 50,
  dateMs: undefined,
  rate: undefined,
};
const NEVER = new AbortController().signal;

test("what stands in line for an athlete who is erased is not sent; others behind it are", async () => {
  const engine = createTestEngine({ db: emptyDb(), requestsInFlight: 1 });
  const { governor } = engine.context;
  const sent: string[] = [];
  const firstReply = Promise.withResolvers<Reply<string>>();
  const asker = (id: number) =>
    ({ athleteId: athleteId(id), phase: "event", syncClass: "event", item: `of ${id}` }) as const;
  const ask = (id: number, reply: Promise<Reply<string>>) =>
    governor.request(asker(id), NEVER, () => {
      sent.push(`of ${id}`);
      return reply;
    });
  const erased = engine.athlete();
  const first = ask(98, firstReply.promise);
  const theirs = ask(erased, Promise.resolve(ANSWER));
  const token = governor.requestUnmetered({ ...asker(erased), phase: "token" }, async () => {
    sent.push("a token");
    return ANSWER;
  });
  const behind = ask(99, Promise.resolve(ANSWER));
  await engine.clock.advance(SECOND_MS);
  expect(forgetAthlete(engine.context, engine.processor, erased)).toBe(true);
  firstReply.resolve(ANSWER);
  await engine.clock.advance(SECOND_MS);
  expect(sent).toEqual(["of 98", "of 99"]);
  expect((await theirs).got).toBe("called_off");
  expect((await token).reply).toMatchObject({ ok: false, fault: { kind: "aborted" } });
  expect([(await first).got, (await behind).got]).toEqual(["reply", "reply"]);
});
