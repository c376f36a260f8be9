import { afterEach, expect, test } from "bun:test";
import { answering, createTestWorld, json, problem, type TestWorld } from "./test-world.ts";

let world: TestWorld | undefined;
afterEach(() => world?.discard());

async function run(answer: () => Response, ...args: string[]) {
  world = createTestWorld({ fetch: answering({ "POST /api/admin/alerts/test": answer }) });
  world.pretendDaemon();
  const exitCode = await world.run("alert", "test", ...args);
  return { exitCode, told: world.lines.join("\n"), complained: world.errors.join("\n") };
}

test("alert test says that the test arrived", async () => {
  const sent = () => json({ channel_id: 3, channel: "club", message_id: 9, delivered: true });
  expect(await run(sent, "3")).toEqual({ exitCode: 0, told: "The test was delivered to club.", complained: "" });
});

test("alert test fails, and says so, where only some of the recipients got it", async () => {
  const shortfall = "1 of 2 recipients was refused by the mail server (550).";
  const sent = () => json({ channel_id: 3, channel: "mail", message_id: 9, delivered: true, shortfall });
  expect(await run(sent, "mail")).toEqual({
    exitCode: 1,
    told: "The test was delivered to mail.",
    complained: `Not everybody got it: ${shortfall}`,
  });
});

test("alert test fails with the reason where the test is not delivered", async () => {
  const words = "The test was not delivered to club. It answered 500.";
  expect(await run(() => problem(502, "alert_not_delivered", words), "club")).toEqual({
    exitCode: 1,
    told: "",
    complained: words,
  });
});

test("alert test wants a channel, and a daemon that runs", async () => {
  const never = () => json({});
  expect((await run(never)).exitCode).toBe(2);
  world = createTestWorld();
  expect(await world.run("alert", "test", "club")).toBe(1);
  expect(world.errors.join("\n")).toContain("broomwagon serve");
});

test("alert test hands over the name as it stands", async () => {
  const bodies: unknown[] = [];
  world = createTestWorld({
    fetch: async (request) => {
      bodies.push(await request.json());
      return json({ channel: "my club" });
    },
  });
  world.pretendDaemon();
  expect(await world.run("alert", "test", "my club")).toBe(0);
  expect(bodies).toEqual([{ channel: "my club" }]);
});
