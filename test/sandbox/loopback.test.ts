import { expect, test } from "bun:test";
import { toLoopbackOnly } from "../../src/sandbox/loopback.ts";

const asked: string[] = [];
const deliver = toLoopbackOnly(async ({ url }) => {
  asked.push(url);
  return new Response("ok");
});

test.each(["http://127.0.0.1:8720/x", "http://localhost/x", "http://[::1]:1/x", "http://127.8.9.10/x"])(
  "%s is called",
  async (url) => {
    expect(await (await deliver(new Request(url))).text()).toBe("ok");
    expect(asked.pop()).toBe(url);
  },
);

test.each([
  "https://club.example/x",
  "http://10.0.0.1/x",
  "http://127.0.0.1.club.example/x",
  "http://localhost.club.example/",
])("%s is not", async (url) => {
  expect(deliver(new Request(url))).rejects.toThrow("loopback");
  expect(asked).toEqual([]);
});
