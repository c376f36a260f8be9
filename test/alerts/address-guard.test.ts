import { afterEach, expect, test } from "bun:test";
import { admitHost, type Resolve } from "../../src/alerts/address-guard.ts";
import { post, type Reach } from "../../src/alerts/post.ts";
import { epochMs } from "../../src/core/units.ts";
import { addChannel, makeTrouble, messagesOf, passUntil, reachTo, webhookTo } from "../support/alerts.ts";
import { createTestEngine } from "../support/engine.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

let receiver: WebhookReceiver | undefined;
afterEach(() => receiver?.stop());

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "public.test": ["93.184.215.14", "2606:2800:21f:cb07::1"],
  "v6.test": ["2606:2800:21f:cb07::1"],
  "inside.test": ["192.168.1.10"],
  "both.test": ["93.184.215.14", "10.0.0.7"],
  "mapped.test": ["::ffff:169.254.169.254"],
  "metadata.test": ["169.254.169.254"],
  localhost: ["127.0.0.1", "::1"],
};
const resolve: Resolve = async (host) => NAMES[host] ?? Promise.reject(new Error("no such name"));
const verdict = async (host: string, allowPrivate = false) => {
  const admitted = await admitHost(host, allowPrivate, resolve);
  return admitted.is === "admitted" ? admitted.address : "refused";
};
const verdicts = (hosts: readonly string[], allowPrivate = false) =>
  Promise.all(hosts.map((host) => verdict(host, allowPrivate)));
const refusedAll = (hosts: readonly string[]) => hosts.map(() => "refused");

test("a name is reached at the address that was looked at, IPv4 first", async () => {
  expect(await verdicts(["public.test", "public.test.", "PUBLIC.test", "v6.test", "93.184.215.14"])).toEqual([
    "93.184.215.14",
    "93.184.215.14",
    "93.184.215.14",
    "2606:2800:21f:cb07::1",
    "93.184.215.14",
  ]);
});

test("private addresses are refused, by name and in every notation, unless the channel allows them", async () => {
  const notations = ["127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "[::1]", "::1"];
  const names = ["localhost", "inside.test", "[::ffff:127.0.0.1]", "::ffff:7f00:1", "10.1.2.3", "[fd00::8]"];
  expect(await verdicts([...notations, ...names])).toEqual(refusedAll([...notations, ...names]));
  expect(await verdicts(notations, true)).toEqual([...Array.from({ length: 6 }, () => "127.0.0.1"), "::1", "::1"]);
  expect(await verdicts(["localhost", "inside.test"], true)).toEqual(["127.0.0.1", "192.168.1.10"]);
});

test("a name that leads to a public and to a private address is refused: who could tell which is reached", async () => {
  expect(await verdict("both.test")).toBe("refused");
  expect(await verdict("both.test", true)).toBe("93.184.215.14");
});

test("metadata, link-local and the like are refused whatever the channel says", async () => {
  const hosts = ["169.254.169.254", "2852039166", "metadata.test", "mapped.test", "[fe80::1]", "[fd00:ec2::254]"];
  expect(await verdicts([...hosts, "0.0.0.0", "0", "[::]"], true)).toEqual(refusedAll([...hosts, "", "", ""]));
});

test("what is no host, and a name that leads nowhere, are refused", async () => {
  const hosts = ["", "unknown.test", "public.test/x", "user@public.test", "public.test#", "a b", "127.0.0.1:80x"];
  expect(await verdicts(hosts, true)).toEqual(refusedAll(hosts));
});

test("only http and https are posted to, and nothing is sent to what is refused", async () => {
  let sent = 0;
  const reach: Reach = {
    resolve,
    fetch: async () => {
      sent++;
      return new Response(null);
    },
  };
  const to = (url: string) =>
    post(
      reach,
      { url, headers: {}, body: "{}", allowPrivate: false },
      { nowMs: epochMs(0), signal: new AbortController().signal },
    );
  for (const url of ["ftp://public.test/", "file:///etc/passwd", "javascript:1", "nonsense", "http://127.0.0.1/"])
    expect(await to(url)).toMatchObject({ delivered: false });
  expect(sent).toBe(0);
  expect(await to("http://public.test/")).toEqual({ delivered: true });
  expect(sent).toBe(1);
});

test("a name that leads to this machine is refused, said so, and reached once the channel allows it", async () => {
  receiver = startWebhookReceiver();
  const engine = createTestEngine({ reach: reachTo({ "inside.test": ["127.0.0.1"] }) });
  addChannel(engine, webhookTo(`http://inside.test:${receiver.port}/`, false), "outside");
  addChannel(engine, webhookTo(`http://inside.test:${receiver.port}/`, true), "inside");
  makeTrouble(engine);
  const isTried = () => messagesOf(engine).length === 2 && messagesOf(engine).every(({ attempts }) => attempts > 0);
  await passUntil(engine, isTried);
  expect(messagesOf(engine)).toMatchObject([
    {
      outcome: null,
      error: "Its host leads to a private address. Where that is meant, set allow_private of the channel.",
    },
    { outcome: "delivered" },
  ]);
  expect(receiver.requests()).toHaveLength(1);
});

test("a name is asked once: what it leads to a moment later is not reached", async () => {
  receiver = startWebhookReceiver();
  const answers = [["127.0.0.1"], ["169.254.169.254"]];
  let asked = 0;
  const engine = createTestEngine({
    reach: { ...reachTo({}), resolve: async () => answers[asked++] ?? [] },
  });
  addChannel(engine, webhookTo(`http://rebinding.test:${receiver.port}/`));
  makeTrouble(engine);
  await passUntil(engine, () => messagesOf(engine)[0]?.outcome === "delivered");
  expect(asked).toBe(1);
  expect(receiver.requests()[0]?.headers.get("host")).toBe(`rebinding.test:${receiver.port}`);
});
