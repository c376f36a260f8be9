import { afterEach, describe, expect, test } from "bun:test";
import type { ChannelSettings } from "../../src/alerts/channel-settings.ts";
import type { PinnedFetch } from "../../src/alerts/post.ts";
import { DAY_MS, epochMs, MINUTE_MS } from "../../src/core/units.ts";
import { readChannel } from "../../src/db/alert-channels.ts";
import {
  addChannel,
  alertTick,
  endTrouble,
  makeTrouble,
  messagesOf,
  passTillDue,
  passUntil,
  reachTo,
  troublesOf,
  WEBHOOK_SECRET,
  webhookTo,
} from "../support/alerts.ts";
import { createTestEngine } from "../support/engine.ts";
import { RECEIVER_CERT, type SmtpServer, type SmtpServerOptions, startSmtpServer } from "../support/smtp-server.ts";
import { isVerified, startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});
const receiver = (options: Parameters<typeof startWebhookReceiver>[0] = {}): WebhookReceiver => {
  const started = startWebhookReceiver(options);
  running.push(started);
  return started;
};
const mailServer = async (options: SmtpServerOptions = {}): Promise<SmtpServer> => {
  const started = await startSmtpServer(options);
  running.push(started);
  return started;
};
const NAMES = { "receiver.test": ["127.0.0.1"] };
const createEngine = () => createTestEngine({ reach: reachTo(NAMES) });
const settled = (engine: ReturnType<typeof createEngine>) =>
  messagesOf(engine).every(({ outcome }) => outcome !== null);

describe("a webhook", () => {
  test("is sent a message that it can verify, and that says what is wrong, what to do and where to look", async () => {
    const engine = createEngine();
    const one = receiver();
    const channelId = addChannel(engine, webhookTo(`${one.url}/alerts?of=club`));
    makeTrouble(engine, "athlete:7");
    await passUntil(engine, () => messagesOf(engine).length > 0 && settled(engine));
    const [message] = one.requests();
    if (message === undefined) throw new Error("Nothing was received");
    expect(isVerified(WEBHOOK_SECRET, message, engine.clock.nowMs())).toBe(true);
    expect(isVerified(`${WEBHOOK_SECRET.slice(0, -4)}AAA=`, message, engine.clock.nowMs())).toBe(false);
    expect(message.path).toBe("/alerts?of=club");
    expect(message.headers.get("content-type")).toBe("application/json");
    expect(message.body).toMatchObject({
      type: "alert.opened",
      data: {
        rule: "sync_failed",
        subject: "athlete:7",
        title: "A sync failed",
        text: "The sync of athlete:7 failed: the list could not be read.",
        url: "http://127.0.0.1:8720/api/admin/athletes/7",
        trace_url: "https://traces.test/4bf92f3577b34da6",
        occurrences: 1,
        closed_at: null,
      },
    });
    expect(message.body.data.action).toContain("start a new sync");
    expect(messagesOf(engine)).toMatchObject([{ kind: "alert", outcome: "delivered", attempts: 1, error: null }]);
    expect(readChannel(engine.db, channelId)).toMatchObject({ lastFailedAtMs: null, lastError: null });
    expect(readChannel(engine.db, channelId)?.lastSentAtMs).toBeGreaterThan(0);
  });

  test("by https is reached by the address that was looked at, and held to the name's certificate", async () => {
    const { resolve } = reachTo({ ...NAMES, "other.test": ["127.0.0.1"] });
    const trusting: PinnedFetch = (request, options) =>
      fetch(request, { ...options, tls: { ...options.tls, ca: RECEIVER_CERT } });
    const engine = createTestEngine({ reach: { fetch: trusting, resolve } });
    const one = receiver({ tls: true });
    addChannel(engine, webhookTo(`https://receiver.test:${one.port}/`), "its own name");
    addChannel(engine, webhookTo(`https://other.test:${one.port}/`), "another name");
    addChannel(engine, webhookTo(`https://127.0.0.1:${one.port}/`), "its address");
    makeTrouble(engine);
    const isTried = () => messagesOf(engine).length === 3 && messagesOf(engine).every(({ attempts }) => attempts > 0);
    await passUntil(engine, isTried);
    expect(messagesOf(engine)).toMatchObject([
      { outcome: "delivered" },
      { outcome: null, error: "It could not be reached (ERR_TLS_CERT_ALTNAME_INVALID)." },
      { outcome: "delivered" },
    ]);
    const hosts = one.requests().map(({ headers }) => headers.get("host"));
    expect(hosts.sort()).toEqual([`127.0.0.1:${one.port}`, `receiver.test:${one.port}`]);
  });

  test("that is down for a while gets every message when it is back, under the ids of the first tries", async () => {
    const engine = createEngine();
    const first = startWebhookReceiver();
    addChannel(engine, webhookTo(first.url));
    first.answerWith(500);
    makeTrouble(engine);
    await passUntil(engine, () => first.requests().length === 2);
    await first.stop();
    const before = messagesOf(engine)[0]?.attempts ?? 0;
    makeTrouble(engine, "athlete:2");
    endTrouble(engine);
    await passUntil(
      engine,
      () => messagesOf(engine).length === 3 && messagesOf(engine).every(({ attempts }) => attempts > before + 1),
    );
    expect(messagesOf(engine).map(({ outcome }) => outcome)).toEqual([null, null, null]);
    const back = receiver({ port: first.port });
    await passUntil(engine, () => settled(engine));
    const idsOf = (one: WebhookReceiver) => one.requests().map(({ headers }) => headers.get("webhook-id"));
    expect(new Set(idsOf(back)).size).toBe(3);
    expect(back.requests()).toHaveLength(3);
    expect(idsOf(back)).toContain(idsOf(first)[0] ?? "");
    expect(idsOf(first)[0]).toBe(idsOf(first)[1] ?? "");
    for (const message of back.requests()) expect(isVerified(WEBHOOK_SECRET, message, engine.clock.nowMs())).toBe(true);
    const bodyOf = (one: WebhookReceiver, id: string) =>
      one.requests().find(({ headers }) => headers.get("webhook-id") === id)?.text;
    const [id = ""] = idsOf(first);
    expect(bodyOf(back, id ?? "")).toBe(bodyOf(first, id ?? ""));
    expect(
      back
        .requests()
        .map(({ body }) => body.type)
        .sort(),
    ).toEqual(["alert.closed", "alert.opened", "alert.opened"]);
  });

  test("that redirects is not followed, and what it says is not repeated", async () => {
    const engine = createEngine();
    const [one, other] = [receiver(), receiver()];
    one.answerWith(302, { location: `${other.url}/metadata` });
    addChannel(engine, webhookTo(one.url));
    makeTrouble(engine);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 1);
    expect(messagesOf(engine)[0]?.error).toBe(
      "It answered 302: redirects are not followed. Give the address that it leads to.",
    );
    one.answerWith(503);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 2);
    expect(messagesOf(engine)[0]?.error).toBe("It answered 503.");
    expect(other.requests()).toEqual([]);
    expect(engine.lines.join("\n")).not.toContain("words of the receiver");
  });

  test("that does not answer is called off after fifteen seconds, and tried again", async () => {
    const engine = createEngine();
    const one = receiver();
    one.hang();
    addChannel(engine, webhookTo(one.url));
    makeTrouble(engine);
    await passUntil(engine, () => one.requests().length === 1);
    await engine.clock.advance(14_000);
    expect(messagesOf(engine)).toMatchObject([{ attempts: 0 }]);
    await engine.clock.advance(1_500);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 1);
    expect(messagesOf(engine)).toMatchObject([{ error: "It did not answer in time.", outcome: null }]);
    one.answerWith(204);
    await passUntil(engine, () => settled(engine));
    expect(messagesOf(engine)).toMatchObject([{ attempts: 2, outcome: "delivered" }]);
  });

  test("that nobody answers for a day is given up, shown, and tried no more", async () => {
    const refused = Object.assign(new Error("connect 127.0.0.1:9"), { code: "ECONNREFUSED" });
    const engine = createTestEngine({ reach: { ...reachTo(NAMES), fetch: () => Promise.reject(refused) } });
    const channelId = addChannel(engine, webhookTo("http://receiver.test:9/"));
    makeTrouble(engine);
    const startMs = engine.clock.nowMs();
    for (let minute = 0; minute < 25 * 60; minute++) await engine.clock.advance(60_000);
    const [message] = messagesOf(engine);
    const tookMs = (message?.settledAtMs ?? 0) - startMs;
    expect(message).toMatchObject({ outcome: "given_up", error: "It could not be reached (ECONNREFUSED)." });
    expect(tookMs).toBeGreaterThanOrEqual(24 * 3_600_000);
    expect(tookMs).toBeLessThan(24 * 3_600_000 + 120_000);
    expect(message?.attempts).toBeGreaterThan(40);
    expect(message?.attempts).toBeLessThan(80);
    expect(readChannel(engine.db, channelId)?.lastError).toBe("It could not be reached (ECONNREFUSED).");
    expect(engine.lines.join("\n")).toContain('"event":"alert.given_up"');
    const attempts = message?.attempts;
    await engine.clock.advance(3_600_000);
    expect(messagesOf(engine)[0]?.attempts).toBe(attempts ?? -1);
  });

  test("asks for patience and gets it, within bounds", async () => {
    const engine = createEngine();
    const one = receiver();
    one.answerWith(429, { "retry-after": "600" });
    addChannel(engine, webhookTo(one.url));
    makeTrouble(engine);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 1);
    const { runAfterMs = 0 } = messagesOf(engine)[0] ?? {};
    expect(runAfterMs - engine.clock.nowMs()).toBeGreaterThan(590_000);
    one.answerWith(429, { "retry-after": "999999" });
    await passTillDue(engine);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 2);
    const next = messagesOf(engine)[0]?.runAfterMs ?? 0;
    expect(next - engine.clock.nowMs()).toBeLessThanOrEqual(30 * 60_000);
    expect(next - engine.clock.nowMs()).toBeGreaterThan(29 * 60_000);
  });

  test("asks for patience by a date and gets it, within bounds; a date that has passed asks for nothing", async () => {
    const engine = createEngine();
    const one = receiver();
    const answerIn = (ms: number) =>
      one.answerWith(503, { "retry-after": new Date(engine.clock.nowMs() + ms).toUTCString() });
    answerIn(10 * MINUTE_MS);
    addChannel(engine, webhookTo(one.url));
    makeTrouble(engine);
    const waitAfter = async (attempts: number) => {
      await passUntil(engine, () => messagesOf(engine)[0]?.attempts === attempts);
      return (messagesOf(engine)[0]?.runAfterMs ?? 0) - engine.clock.nowMs();
    };
    expect(await waitAfter(1)).toBeWithin(9.5 * MINUTE_MS, 10 * MINUTE_MS);
    answerIn(3 * DAY_MS);
    await passTillDue(engine);
    expect(await waitAfter(2)).toBeWithin(29 * MINUTE_MS, 30 * MINUTE_MS + 1);
    answerIn(-DAY_MS);
    await passTillDue(engine);
    expect(await waitAfter(3)).toBeLessThan(MINUTE_MS);
  });

  test("that is sent a test gets what became due meanwhile as soon as the test is over", async () => {
    const engine = createEngine();
    const one = receiver();
    one.hang();
    const channelId = addChannel(engine, webhookTo(one.url));
    const tested = engine.alerts.test(channelId);
    await passUntil(engine, () => one.requests().length === 1);
    makeTrouble(engine);
    await passUntil(engine, () => messagesOf(engine).length === 2);
    await engine.clock.advance(100);
    one.answerWith(200);
    await passUntil(engine, () => messagesOf(engine)[0]?.settledAtMs !== null);
    await tested;
    const sinceMs = engine.clock.nowMs();
    await passUntil(engine, () => settled(engine));
    expect(engine.clock.nowMs() - sinceMs).toBeLessThan(2_000);
  });
});

test("a daemon that dies in the middle of a delivery sends the message again, under the same id", async () => {
  const engine = createEngine();
  const one = receiver();
  one.hang();
  addChannel(engine, webhookTo(one.url));
  makeTrouble(engine);
  await passUntil(engine, () => one.requests().length === 1);
  one.answerWith(200);
  const next = engine.rebooted();
  next.alerts.wake();
  await passUntil(next, () => messagesOf(next)[0]?.outcome === "delivered");
  const ids = one.requests().map(({ headers }) => headers.get("webhook-id"));
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(ids[1] ?? "");
  expect(messagesOf(next)).toMatchObject([{ attempts: 1 }]);
});

test("a daemon that stops calls off what hangs, and leaves it due", async () => {
  const engine = createEngine();
  const one = receiver();
  one.hang();
  addChannel(engine, webhookTo(one.url));
  makeTrouble(engine);
  await passUntil(engine, () => one.requests().length === 1);
  let isStopped = false;
  const stopped = engine.alerts.stop(3_000).then(() => {
    isStopped = true;
  });
  await engine.clock.advance(2_900);
  expect(isStopped).toBe(false);
  await engine.clock.advance(700);
  expect(isStopped).toBe(true);
  await stopped;
  expect(messagesOf(engine)).toMatchObject([{ attempts: 0, outcome: null }]);
  makeTrouble(engine, "athlete:2");
  await engine.clock.advance(60_000);
  expect(messagesOf(engine)).toHaveLength(1);
});

describe("mail", () => {
  const mailTo = (server: SmtpServer, values: Partial<ChannelSettings> = {}): ChannelSettings =>
    ({
      kind: "email",
      host: "receiver.test",
      port: server.port,
      tls: "none",
      user: undefined,
      password: undefined,
      from: "broomwagon@club.test",
      to: ["admin@club.test", "second@club.test"],
      ca: undefined,
      allowPrivate: true,
      ...values,
    }) as ChannelSettings;

  for (const [tls, host] of [
    ["none", "receiver.test"],
    ["starttls", "receiver.test"],
    ["tls", "receiver.test"],
    ["starttls", "127.0.0.1"],
    ["tls", "127.0.0.1"],
  ] as const) {
    test(`arrives at a real server (encryption: ${tls}, at ${host}), signed in, to everybody`, async () => {
      const engine = createEngine();
      const server = await mailServer({ tls, user: "club", password: "pass word" });
      addChannel(engine, mailTo(server, { host, tls, user: "club", password: "pass word", ca: RECEIVER_CERT }));
      makeTrouble(engine);
      await passUntil(engine, () => messagesOf(engine)[0]?.outcome === "delivered");
      const [mail] = server.mails();
      expect(mail).toMatchObject({
        from: "broomwagon@club.test",
        to: ["admin@club.test", "second@club.test"],
        isEncrypted: tls !== "none",
        signedInAs: "club:pass word",
      });
      const { id } = JSON.parse(messagesOf(engine)[0]?.content ?? "{}");
      expect(mail?.source).toContain("Subject: A sync failed");
      expect(mail?.source).toContain(`Message-ID: <${id}@broomwagon>`);
      expect(mail?.source).toContain("The sync of athlete:1 failed: the list could not be read.");
      expect(mail?.source).toContain("http://127.0.0.1:8720/api/admin/athletes/1");
    });
  }

  test("is not handed to a server whose certificate is another's, nor in the clear where encryption was asked for", async () => {
    const engine = createTestEngine({ reach: reachTo({ "other.test": ["127.0.0.1"], ...NAMES }) });
    const [encrypted, plain] = [await mailServer({ tls: "starttls" }), await mailServer({ tls: "none" })];
    addChannel(engine, mailTo(encrypted, { tls: "starttls", host: "other.test", ca: RECEIVER_CERT }), "other");
    addChannel(engine, mailTo(plain, { tls: "starttls" }), "plain");
    makeTrouble(engine);
    await passUntil(
      engine,
      () => messagesOf(engine).length === 2 && messagesOf(engine).every(({ attempts }) => attempts > 0),
    );
    const errors = messagesOf(engine).map(({ error }) => error);
    expect(errors[0]).toContain("certificate is not one for other.test");
    expect(errors[1]).toContain("STARTTLS");
    expect([encrypted.mails(), plain.mails()]).toEqual([[], []]);
  });

  test("that is refused says with which code, and repeats neither words nor addresses nor the password", async () => {
    const engine = createEngine();
    const [closed, picky] = [await mailServer({ user: "club", password: "right" }), await mailServer()];
    picky.refuse("RCPT", "550 5.1.1 <admin@club.test> words of the server");
    addChannel(engine, mailTo(closed, { user: "club", password: "wrong-password" }), "closed");
    addChannel(engine, mailTo(picky), "picky");
    makeTrouble(engine);
    await passUntil(
      engine,
      () => messagesOf(engine).length === 2 && messagesOf(engine).every(({ attempts }) => attempts > 0),
    );
    expect(messagesOf(engine).map(({ error }) => error)).toEqual([
      "The mail server takes no such user and password (535).",
      "The mail server answered 550 to RCPT TO.",
    ]);
    const told = [engine.lines, messagesOf(engine).map((message) => JSON.stringify(message))].flat().join("\n");
    for (const secret of ["wrong-password", "admin@club.test", "words of the server"])
      expect(told).not.toContain(secret);
  });

  test("that only some recipients got is delivered, once, and says how many were refused", async () => {
    const engine = createEngine();
    const server = await mailServer();
    server.refuseRecipient("second@club.test", "550 5.1.1 no such mailbox");
    const channelId = addChannel(engine, mailTo(server));
    makeTrouble(engine);
    await passUntil(engine, () => messagesOf(engine)[0]?.outcome === "delivered");
    const shortfall = "1 of 2 recipients was refused by the mail server (550).";
    expect(server.mails()).toMatchObject([{ to: ["admin@club.test"] }]);
    expect(messagesOf(engine)).toMatchObject([{ attempts: 1, error: shortfall }]);
    const channel = readChannel(engine.db, channelId);
    expect(channel?.lastError).toBe(shortfall);
    expect(channel?.lastSentAtMs).toBeGreaterThan(0);
    expect(channel?.lastFailedAtMs).toBe(channel?.lastSentAtMs ?? null);
    expect(engine.lines.join("\n")).toContain("reached only some");
    const tested = engine.alerts.test(channelId);
    await passUntil(engine, () => messagesOf(engine)[1]?.outcome === "delivered");
    expect(await tested).toMatchObject({ delivered: true, shortfall });
  });

  test("waits for a server that is down, and arrives once when it is back", async () => {
    const engine = createEngine();
    const down = await startSmtpServer();
    addChannel(engine, mailTo(down));
    await down.stop();
    makeTrouble(engine);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 3);
    expect(messagesOf(engine)[0]?.error).toBe("The mail server could not be reached (ESOCKET).");
    const back = await mailServer({ port: down.port });
    await passUntil(engine, () => settled(engine));
    expect(messagesOf(engine)).toMatchObject([{ outcome: "delivered", attempts: 4 }]);
    expect(back.mails()).toHaveLength(1);
  });

  test("a server that says nothing is called off, and holds no other message up", async () => {
    const engine = createEngine();
    const silent = await mailServer();
    silent.refuse("CONNECT", "");
    const one = receiver();
    addChannel(engine, mailTo(silent));
    addChannel(engine, webhookTo(one.url));
    makeTrouble(engine);
    await passUntil(engine, () => one.requests().length === 1);
    await engine.clock.advance(15_000);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 1);
    expect(messagesOf(engine)[0]?.error).toBe("It did not answer in time.");
  });
});

describe("what the others take", () => {
  test("ntfy: JSON at the server's root, the topic within, with its token", async () => {
    const engine = createEngine();
    const one = receiver();
    addChannel(engine, { kind: "ntfy", url: `${one.url}/club-alerts`, token: "tk_secret", allowPrivate: true });
    makeTrouble(engine);
    await passUntil(engine, () => one.requests().length === 1);
    const [message] = one.requests();
    expect(message?.path).toBe("/");
    expect(message?.headers.get("authorization")).toBe("Bearer tk_secret");
    expect(message?.body).toMatchObject({
      topic: "club-alerts",
      title: "A sync failed",
      priority: 4,
      click: "http://127.0.0.1:8720/api/admin/athletes/1",
    });
    expect(message?.body.message).toContain("could not be read");
  });

  test("Slack and Discord: text in which nothing calls anybody", async () => {
    const engine = createEngine();
    const [slack, discord] = [receiver(), receiver()];
    addChannel(engine, { kind: "slack", url: `${slack.url}/services/T1/B2/x`, allowPrivate: true });
    addChannel(engine, { kind: "discord", url: `${discord.url}/api/webhooks/1/x`, allowPrivate: true });
    makeTrouble(engine, "<!channel> @everyone & co" as "application");
    await passUntil(engine, () => slack.requests().length + discord.requests().length === 2);
    expect(slack.requests()[0]?.body.text).toContain(
      "*A sync failed*\nThe sync of &lt;!channel&gt; @everyone &amp; co failed",
    );
    expect(discord.requests()[0]?.body).toMatchObject({ allowed_mentions: { parse: [] } });
    expect(discord.requests()[0]?.body.content).toContain("**A sync failed**");
    expect(discord.requests()[0]?.body.content.length).toBeLessThanOrEqual(2_000);
  });
});

test("a receiver that hangs holds up its own messages, one at a time, and nobody else's, however many they are", async () => {
  const engine = createEngine();
  const [hanging, prompt] = [receiver(), receiver()];
  hanging.hang();
  addChannel(engine, webhookTo(hanging.url), "hanging");
  for (let n = 1; n <= 12; n++) {
    makeTrouble(engine, `athlete:${n}`);
    await engine.clock.advance(1_100);
  }
  addChannel(engine, webhookTo(prompt.url), "prompt");
  makeTrouble(engine, "athlete:99");
  const sinceMs = engine.clock.nowMs();
  await passUntil(engine, () => prompt.requests().length === 1);
  expect(engine.clock.nowMs() - sinceMs).toBeLessThan(3_000);
  expect(hanging.requests().length).toBeLessThanOrEqual(2);
  expect(messagesOf(engine).filter(({ outcome }) => outcome === null).length).toBeGreaterThanOrEqual(13);
  hanging.answerWith(200);
  await passUntil(engine, () => settled(engine));
  const told = new Set(hanging.requests().map(({ body }) => body.data.subject));
  expect(told.size).toBe(13);
});

describe("a clock that is set back", () => {
  async function failedOnce() {
    const engine = createEngine();
    const one = receiver();
    one.answerWith(500);
    addChannel(engine, webhookTo(one.url));
    makeTrouble(engine);
    await passUntil(engine, () => messagesOf(engine)[0]?.attempts === 1);
    one.answerWith(200);
    return { engine, one };
  }

  test("strands no message: it goes out at the next turn, dated now", async () => {
    const { engine, one } = await failedOnce();
    engine.clock.jumpTo(engine.clock.nowMs() - 3 * DAY_MS);
    const jumpedMs = engine.clock.nowMs();
    await alertTick(engine);
    expect(messagesOf(engine)[0]?.createdAtMs).toBe(epochMs(jumpedMs));
    await passUntil(engine, () => settled(engine));
    expect(engine.clock.nowMs() - jumpedMs).toBeLessThan(MINUTE_MS);
    expect(one.requests().filter(({ body }) => body.type === "alert.opened")).toHaveLength(2);
  });

  test("while the daemon was down strands none either", async () => {
    const { engine, one } = await failedOnce();
    engine.clock.jumpTo(engine.clock.nowMs() - 3 * DAY_MS);
    const next = engine.rebooted();
    await alertTick(next);
    await passUntil(next, () => settled(next));
    expect(one.requests().filter(({ body }) => body.type === "alert.opened")).toHaveLength(2);
  });

  test("leaves alone what waits as long as any message may", async () => {
    const { engine } = await failedOnce();
    const nowMs = engine.clock.nowMs();
    const put = (offMs: number) =>
      engine.db.$client.run("UPDATE alert_messages SET created_at_ms = ?1, run_after_ms = ?2", [nowMs, nowMs + offMs]);
    const dueAfterStart = async () => {
      const next = engine.rebooted();
      await alertTick(next);
      return messagesOf(next)[0]?.runAfterMs;
    };
    put(37.5 * MINUTE_MS);
    expect(await dueAfterStart()).toBe(epochMs(nowMs + 37.5 * MINUTE_MS));
    put(37.5 * MINUTE_MS + 1);
    expect(await dueAfterStart()).toBe(nowMs);
  });
});

test("each channel gets its own copy; one that is switched off, or whose settings do not open, holds none of the others up", async () => {
  const engine = createEngine();
  const one = receiver();
  addChannel(engine, webhookTo(one.url), "works");
  const broken = addChannel(engine, webhookTo(one.url), "broken");
  const off = addChannel(engine, webhookTo(one.url), "off");
  engine.db.$client.run("UPDATE alert_channels SET settings_sealed = 'x' WHERE id = ?1", [broken]);
  engine.db.$client.run("UPDATE alert_channels SET is_enabled = 0 WHERE id = ?1", [off]);
  makeTrouble(engine);
  await passUntil(engine, () => one.requests().length === 1);
  await passUntil(engine, () => messagesOf(engine).every(({ attempts }) => attempts > 0));
  expect(messagesOf(engine)).toMatchObject([
    { outcome: "delivered" },
    { outcome: null, error: "The channel's settings do not open: give them again." },
  ]);
  // What was to go to a channel that is switched off meanwhile never will.
  engine.db.$client.run("UPDATE alert_channels SET is_enabled = 0");
  await passUntil(engine, () => settled(engine));
  expect(messagesOf(engine)[1]).toMatchObject({ outcome: "given_up", error: "The channel was switched off." });
  expect(troublesOf(engine)).toHaveLength(1);
});
