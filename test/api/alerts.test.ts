import { afterEach, describe, expect, test } from "bun:test";
import { makeTrouble, messagesOf, passUntil, reachTo, TAKES_ALL } from "../support/alerts.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { isVerified, startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const CHANNELS = "/api/admin/alerts/channels";
const WEBHOOK = { name: "club", kind: "webhook", url: "https://hooks.test/path-that-is-secret?key=hidden-key" };
const MAIL = {
  name: "mail",
  kind: "email",
  host: "mail.test",
  user: "club",
  password: "mail-password",
  from: "broomwagon@club.test",
  to: ["admin@club.test"],
};

let receiver: WebhookReceiver | undefined;
afterEach(async () => {
  await receiver?.stop();
  receiver = undefined;
});
const idle = () => createTestApi({ started: false, reach: TAKES_ALL });
/** Everything that the API, the log and the tables (as they are read) hold in the clear. */
const everything = async ({ engine, get }: TestApi): Promise<string> => {
  const paths = [CHANNELS, "/api/admin/alerts/messages", "/api/admin/alerts/troubles", "/api/admin/audit"];
  const answers = await Promise.all(paths.map(async (path) => (await get(path)).text));
  const rows = engine.db.$client.query("SELECT * FROM alert_channels").all();
  return [...answers, ...engine.lines, JSON.stringify(rows)].join("\n");
};

describe("channels", () => {
  test("are made, listed, shown, changed and removed; each change is audited, without what was given", async () => {
    const api = idle();
    const { get, post, patch } = api;
    const made = await post(CHANNELS, WEBHOOK);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      id: 1,
      name: "club",
      kind: "webhook",
      enabled: true,
      target: "https://hooks.test/***",
      allow_private: false,
      from: null,
      has_secret: true,
      created_by: "admin",
      last_sent_at: null,
      last_error: null,
    });
    expect(made.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect((await post(CHANNELS, MAIL)).body).toMatchObject({
      id: 2,
      target: "mail.test:587",
      from: "broomwagon@club.test",
      to: ["admin@club.test"],
      tls: "starttls",
      has_secret: true,
    });
    const page = await get(`${CHANNELS}?limit=1`);
    expect(page.body.items).toHaveLength(1);
    expect((await get(`${CHANNELS}?cursor=${page.body.next_cursor}`)).body.items).toMatchObject([{ name: "mail" }]);
    expect((await get(`${CHANNELS}/2`)).body).toMatchObject({ name: "mail" });
    const changed = await patch(`${CHANNELS}/2`, { name: "post", enabled: false, to: ["a@club.test", "b@club.test"] });
    expect(changed.body).toMatchObject({ name: "post", enabled: false, to: ["a@club.test", "b@club.test"] });
    expect(changed.body.secret).toBeUndefined();
    expect((await api.delete(`${CHANNELS}/2`)).body).toEqual({ id: 2, removed: true });
    for (const answer of [await get(`${CHANNELS}/2`), await patch(`${CHANNELS}/2`, { enabled: true })])
      expect([answer.status, answer.body.code]).toEqual([404, "channel_unknown"]);
    expect((await api.delete(`${CHANNELS}/2`)).status).toBe(404);
    const audit = (await get("/api/admin/audit")).body.items;
    expect(audit.map(({ action, target }: { action: string; target: string }) => `${action} ${target}`)).toEqual([
      "alert_channel.removed alert_channel:2",
      "alert_channel.changed alert_channel:2",
      "alert_channel.made alert_channel:2",
      "alert_channel.made alert_channel:1",
    ]);
    expect(audit[1].detail).toEqual({ fields: ["name", "enabled", "to"], allow_private: false });
  });

  test("take no field that is none, and say which", async () => {
    const { get, post, patch } = idle();
    const made = await post(CHANNELS, { ...WEBHOOK, frobnicate: 1, enabeld: false });
    expect([made.status, made.body.errors]).toEqual([
      422,
      [
        { field: "frobnicate", message: "is no field here" },
        { field: "enabeld", message: "is no field here (did you mean enabled?)" },
      ],
    ]);
    expect((await get(CHANNELS)).body.items).toEqual([]);
    await post(CHANNELS, WEBHOOK);
    const changed = await patch(`${CHANNELS}/1`, { enabled: false, kind: "slack" });
    expect([changed.status, changed.body.errors]).toEqual([422, [{ field: "kind", message: "is no field here" }]]);
    expect((await get(`${CHANNELS}/1`)).body.enabled).toBe(true);
  });

  test("that are refused say why in whole sentences", async () => {
    const { post } = idle();
    const { body } = await post(CHANNELS, { ...WEBHOOK, url: "http://127.0.0.1/" });
    expect(body.detail).toContain("set allow_private of the channel. The documentation");
  });

  test("can be made switched off; a secret is made anew where there is one, and refused elsewhere", async () => {
    const { get, post, patch } = idle();
    expect((await post(CHANNELS, { ...WEBHOOK, enabled: false })).body).toMatchObject({ id: 1, enabled: false });
    expect((await post(CHANNELS, MAIL)).body).toMatchObject({ id: 2, enabled: true });
    const refused = await patch(`${CHANNELS}/2`, { name: "other", rotate_secret: true });
    expect([refused.status, refused.body.errors]).toEqual([
      422,
      [{ field: "rotate_secret", message: "is not of a channel of kind email" }],
    ]);
    expect((await get(`${CHANNELS}/2`)).body.name).toBe("mail");
    expect((await patch(`${CHANNELS}/2`, { rotate_secret: false, name: "other" })).status).toBe(200);
    expect((await patch(`${CHANNELS}/1`, { rotate_secret: true })).body.secret).toStartWith("whsec_");
  });

  test("show no secret again, not in an answer, a log line, the audit, or a table", async () => {
    const api = idle();
    const { secret } = (await api.post(CHANNELS, WEBHOOK)).body;
    await api.post(CHANNELS, MAIL);
    await api.post(CHANNELS, { name: "phone", kind: "ntfy", url: "https://ntfy.test/topic-word", token: "tk_token" });
    await api.post(CHANNELS, {
      name: "slack",
      kind: "slack",
      url: "https://hooks.slack.test/services/T0/B0/slack-word",
    });
    await api.post(CHANNELS, {
      name: "discord",
      kind: "discord",
      url: "https://discord.test/api/webhooks/1/discord-word",
    });
    makeTrouble(api.engine);
    await api.engine.clock.advance(30_000);
    for (const channel of ["club", "phone", "slack", "discord"])
      await api.passing(api.post("/api/admin/alerts/test", { channel }));
    const told = await everything(api);
    expect(told).toContain("alert.delivered");
    const secrets = [secret, "path-that-is-secret", "hidden-key", "mail-password", "tk_token", "topic-word"];
    for (const word of [...secrets, "slack-word", "discord-word"]) expect(told).not.toContain(word);
  });

  test("a webhook's secret is made anew on demand, shown once, and signs from then on", async () => {
    receiver = startWebhookReceiver();
    const api = createTestApi({ started: false, reach: reachTo({ "receiver.test": ["127.0.0.1"] }) });
    const url = `http://receiver.test:${receiver.port}/`;
    const { secret: first } = (await api.post(CHANNELS, { ...WEBHOOK, url, allow_private: true })).body;
    const { secret: second } = (await api.patch(`${CHANNELS}/1`, { rotate_secret: true })).body;
    expect(second).toMatch(/^whsec_/);
    expect(second).not.toBe(first);
    expect((await api.get(`${CHANNELS}/1`)).text).not.toContain("whsec_");
    const test = api.post("/api/admin/alerts/test", { channel: "club" });
    const { requests } = receiver;
    await passUntil(api.engine, () => requests().length > 0);
    await api.passing(test);
    const [message] = receiver.requests();
    if (message === undefined) throw new Error("Nothing was received");
    const nowMs = api.engine.clock.nowMs();
    expect([isVerified(first, message, nowMs), isVerified(second, message, nowMs)]).toEqual([false, true]);
  });

  test("what makes no sense is refused, by field, and nothing is kept", async () => {
    const { post, get } = idle();
    const refusals: readonly [object, string][] = [
      [{ ...WEBHOOK, url: "ftp://hooks.test/" }, "url"],
      [{ ...WEBHOOK, url: "https://user:password@hooks.test/" }, "url"],
      [{ ...WEBHOOK, url: "http://127.0.0.1/" }, "url"],
      [{ ...WEBHOOK, url: "http://2130706433/" }, "url"],
      [{ ...WEBHOOK, url: "http://[::ffff:10.0.0.1]/" }, "url"],
      [{ ...WEBHOOK, url: "http://169.254.169.254/latest", allow_private: true }, "url"],
      [{ ...WEBHOOK, url: undefined }, "url"],
      [{ ...WEBHOOK, secret: "whsec_short" }, "secret"],
      [{ ...WEBHOOK, token: "x" }, "token"],
      [{ ...WEBHOOK, name: "42" }, "name"],
      [{ ...WEBHOOK, kind: "pager" }, "kind"],
      [{ name: "phone", kind: "ntfy", url: "https://ntfy.test/" }, "url"],
      [{ ...MAIL, host: undefined }, "host"],
      [{ ...MAIL, host: "mail.test/x" }, "host"],
      [{ ...MAIL, host: "10.0.0.1" }, "host"],
      [{ ...MAIL, to: [] }, "to"],
      [{ ...MAIL, to: ["a@b.test\r\nBcc: c@d.test"] }, "to"],
      [{ ...MAIL, to: ["Somebody <a@b.test>"] }, "to"],
      [{ ...MAIL, from: "a\r\nBcc:c@d.test" }, "from"],
      [{ ...MAIL, from: "nobody" }, "from"],
      [{ ...MAIL, password: undefined }, "password"],
      [{ ...MAIL, tls: "none" }, "tls"],
      [{ ...MAIL, port: 0 }, "port"],
    ];
    for (const [body, field] of refusals) {
      const answer = await post(CHANNELS, body);
      expect([JSON.stringify(body), answer.status]).toEqual([JSON.stringify(body), 422]);
      expect(answer.body.errors.map((one: { field: string }) => one.field.split(".")[0])).toContain(field);
      expect(answer.text).not.toContain("mail-password");
    }
    expect((await get(CHANNELS)).body.items).toEqual([]);
  });

  test("a name is one channel's, and there are twenty at most", async () => {
    const { post, patch } = idle();
    await post(CHANNELS, WEBHOOK);
    expect((await post(CHANNELS, WEBHOOK)).body.code).toBe("channel_exists");
    for (let n = 2; n <= 20; n++) expect((await post(CHANNELS, { ...WEBHOOK, name: `club ${n}` })).status).toBe(201);
    expect((await post(CHANNELS, { ...WEBHOOK, name: "one more" })).body.code).toBe("too_many_channels");
    expect((await patch(`${CHANNELS}/2`, { name: "club" })).body.code).toBe("channel_exists");
    expect((await patch(`${CHANNELS}/1`, { name: "club" })).status).toBe(200);
  });

  test("a secret goes to no other server than the one that it was given for", async () => {
    const { post, patch } = idle();
    await post(CHANNELS, MAIL);
    await post(CHANNELS, { name: "phone", kind: "ntfy", url: "https://ntfy.test/topic", token: "tk_token" });
    for (const change of [{ host: "other.test" }, { port: 2525 }, { tls: "tls" }])
      expect((await patch(`${CHANNELS}/1`, change)).body.errors).toMatchObject([{ field: "password" }]);
    expect((await patch(`${CHANNELS}/2`, { url: "https://other.test/topic" })).body.errors).toMatchObject([
      { field: "token" },
    ]);
    expect((await patch(`${CHANNELS}/2`, { url: "https://ntfy.test/another" })).status).toBe(200);
    expect((await patch(`${CHANNELS}/1`, { host: "other.test", password: "again" })).body.target).toBe(
      "other.test:587",
    );
    const without = await patch(`${CHANNELS}/2`, { url: "https://other.test/topic", token: null });
    expect(without.body).toMatchObject({ target: "https://other.test/***", has_secret: false });
  });

  test("one that is removed takes what waited with it", async () => {
    const api = createTestApi({ started: false });
    await api.post(CHANNELS, WEBHOOK);
    makeTrouble(api.engine);
    await api.engine.clock.advance(60_000);
    await api.delete(`${CHANNELS}/1`);
    const { items } = (await api.get("/api/admin/alerts/messages")).body;
    expect(items).toMatchObject([{ outcome: "given_up", error: "The channel was removed.", next_try_at: null }]);
  });

  test("whose settings do not open says so, and can be given them again", async () => {
    const api = idle();
    await api.post(CHANNELS, WEBHOOK);
    api.engine.db.$client.run("UPDATE alert_channels SET settings_sealed = 'broken'");
    expect((await api.get(`${CHANNELS}/1`)).body).toMatchObject({ target: null, has_secret: false });
    expect((await api.patch(`${CHANNELS}/1`, { enabled: false })).status).toBe(200);
    expect((await api.patch(`${CHANNELS}/1`, { allow_private: true })).status).toBe(422);
    const again = await api.patch(`${CHANNELS}/1`, { url: WEBHOOK.url, enabled: true, rotate_secret: true });
    expect(again.body).toMatchObject({ target: "https://hooks.test/***", enabled: true });
    expect(again.body.secret).toMatch(/^whsec_/);
  });
});

describe("rules", () => {
  const RULES = "/api/admin/alerts/rules";
  const ruleIn = ({ body }: { body: { items: { rule: string }[] } }, name: string) =>
    body.items.find(({ rule }) => rule === name);

  test("are shown with their defaults, changed in part, audited, and gone back from", async () => {
    const { get, patch } = idle();
    const before = ruleIn(await get(RULES), "sync_failed");
    expect(before).toMatchObject({ enabled: true, after_occurrences: 1, after_ms: null, recovery: true });
    const change = {
      sync_failed: { after_occurrences: 3, resend_after_ms: null },
      quota_exhausted: { enabled: false },
    };
    const changed = await patch(RULES, change);
    expect(ruleIn(changed, "sync_failed")).toMatchObject({
      after_occurrences: 3,
      resend_after_ms: null,
      recovery: true,
    });
    expect(ruleIn(changed, "quota_exhausted")).toMatchObject({ enabled: false, default: { enabled: true } });
    expect(ruleIn(await get(RULES), "sync_failed")).toMatchObject({ after_occurrences: 3 });
    await patch(RULES, { sync_failed: { recovery: false } });
    expect(ruleIn(await get(RULES), "sync_failed")).toMatchObject({ after_occurrences: 3, recovery: false });
    expect(ruleIn(await get(RULES), "quota_exhausted")).toMatchObject({ enabled: false });
    await patch(RULES, { sync_failed: null });
    expect(ruleIn(await get(RULES), "sync_failed")).toEqual(before as never);
    const [newest, , oldest] = (await get("/api/admin/audit?action=alert_rules.changed")).body.items;
    expect(oldest.detail.sync_failed).toEqual({
      from: { afterOccurrences: 1, resendAfterMs: 86_400_000 },
      to: { afterOccurrences: 3, resendAfterMs: null },
    });
    expect(newest.detail.sync_failed.to).toEqual({
      afterOccurrences: 1,
      resendAfterMs: 86_400_000,
      tellsRecovery: true,
    });
  });

  test("out of bounds, and rules that are none, are refused", async () => {
    const { patch } = idle();
    const refused = [
      {},
      { sync_failed: {} },
      { sync_failed: { after_occurrences: 0 } },
      { sync_failed: { after_occurrences: 1.5 } },
      { sync_failed: { after_ms: -1 } },
      { sync_failed: { resend_after_ms: 59_999 } },
      { sync_failed: { recovery_after_ms: null } },
      { sync_faild: { enabled: false } },
    ];
    for (const body of refused)
      expect([JSON.stringify(body), (await patch(RULES, body)).status]).toEqual([JSON.stringify(body), 422]);
  });

  test("with a misspelt field are refused by its name", async () => {
    const { get, patch } = idle();
    const before = (await get(RULES)).body;
    const { status, body } = await patch(RULES, { sync_failed: { enabled: false, resend_after: 5 } });
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      { field: "sync_failed.resend_after", message: "is no field here (did you mean resend_after_ms?)" },
    ]);
    const rule = await patch(RULES, { sync_faild: { enabled: false }, needs_reconnect: null });
    expect(rule.body.errors).toEqual([
      { field: "sync_faild", message: "is no field here (did you mean sync_failed?)" },
    ]);
    expect((await get(RULES)).body).toEqual(before);
  });

  test("that are changed are held to what is open already", async () => {
    const api = createTestApi({ started: false, reach: TAKES_ALL });
    await api.post(CHANNELS, WEBHOOK);
    await api.patch(RULES, { sync_failed: { after_occurrences: 2 } });
    makeTrouble(api.engine);
    await api.engine.clock.advance(5_000);
    expect(messagesOf(api.engine)).toEqual([]);
    await api.patch(RULES, { sync_failed: null });
    await api.engine.clock.advance(5_000);
    expect(messagesOf(api.engine)).toMatchObject([{ outcome: "delivered" }]);
  });
});

describe("troubles and messages", () => {
  test("are listed page by page, the newest first, and by what they are", async () => {
    const api = createTestApi({ started: false, reach: TAKES_ALL });
    await api.post(CHANNELS, WEBHOOK);
    for (const subject of ["athlete:1", "athlete:2"] as const) makeTrouble(api.engine, subject);
    makeTrouble(api.engine, "application", "app_inactive");
    await api.engine.clock.advance(5_000);
    const troubles = "/api/admin/alerts/troubles";
    const first = await api.get(`${troubles}?limit=2`);
    expect(first.body.items).toMatchObject([
      { id: 3, rule: "app_inactive", subject: "application", state: "open", occurrences: 1, closed_at: null },
      { id: 2, trace_url: "https://traces.test/4bf92f3577b34da6" },
    ]);
    expect((await api.get(`${troubles}?limit=2&cursor=${first.body.next_cursor}`)).body).toMatchObject({
      items: [{ id: 1 }],
      next_cursor: null,
    });
    expect((await api.get(`${troubles}?rule=sync_failed&state=open`)).body.items).toHaveLength(2);
    expect((await api.get(`${troubles}?state=closed`)).body.items).toEqual([]);
    expect((await api.get(`${troubles}?rule=none`)).status).toBe(422);
    const messages = "/api/admin/alerts/messages";
    expect((await api.get(`${messages}?outcome=delivered&channel_id=1`)).body.items).toMatchObject([
      { kind: "alert", title: "Strava refuses the application", attempts: 1, next_try_at: null },
      { title: "A sync failed", trouble_id: 2 },
      { title: "A sync failed", trouble_id: 1 },
    ]);
    expect((await api.get(`${messages}?outcome=pending`)).body.items).toEqual([]);
    expect((await api.get(`${messages}?channel_id=2`)).body.items).toEqual([]);
  });

  test("a message that was not delivered says why, and when it is tried again", async () => {
    const api = createTestApi({ started: false });
    await api.post(CHANNELS, WEBHOOK);
    makeTrouble(api.engine);
    await api.engine.clock.advance(2_000);
    const [message] = (await api.get("/api/admin/alerts/messages?outcome=pending")).body.items;
    expect(message).toMatchObject({ attempts: 1, error: "Its host's name leads to no address.", settled_at: null });
    expect(message.next_try_at).toBeGreaterThan(api.engine.clock.nowMs());
    expect((await api.get(`${CHANNELS}/1`)).body).toMatchObject({ last_error: "Its host's name leads to no address." });
  });
});

describe("a test", () => {
  const TEST = "/api/admin/alerts/test";

  test("goes out at once, by name or id, also to a channel that is switched off, and is in the list", async () => {
    const api = createTestApi({ started: false, reach: TAKES_ALL });
    await api.post(CHANNELS, WEBHOOK);
    await api.patch(`${CHANNELS}/1`, { enabled: false });
    for (const channel of ["club", "1", 1]) {
      const { status, body } = await api.passing(api.post(TEST, { channel }));
      expect([status, body]).toEqual([
        200,
        { channel_id: 1, channel: "club", message_id: expect.any(Number), delivered: true, shortfall: null },
      ]);
    }
    expect((await api.get("/api/admin/alerts/messages")).body.items).toMatchObject(
      Array.from({ length: 3 }, () => ({ kind: "test", outcome: "delivered", attempts: 1, trouble_id: null })),
    );
    expect((await api.get("/api/admin/audit?action=alert_channel.tested")).body.items).toHaveLength(3);
  });

  test("that fails says why, is tried no more, and stays in the list", async () => {
    const api = createTestApi({ started: false });
    await api.post(CHANNELS, WEBHOOK);
    const { status, body } = await api.passing(api.post(TEST, { channel: "club" }));
    expect([status, body.code]).toEqual([502, "alert_not_delivered"]);
    expect(body.detail).toBe("The test was not delivered to club. Its host's name leads to no address.");
    await api.engine.clock.advance(3_600_000);
    expect((await api.get("/api/admin/alerts/messages")).body.items).toMatchObject([
      { kind: "test", outcome: "given_up", attempts: 1 },
    ]);
  });

  test("of a channel that is none is refused", async () => {
    const { post } = idle();
    for (const channel of ["nobody", "7", 7]) expect((await post(TEST, { channel })).body.code).toBe("channel_unknown");
    expect((await post(TEST, {})).status).toBe(422);
  });
});

test("reading wants the scope read; changing and testing want admin", async () => {
  const { get, post, patch, token, delete: remove } = idle();
  const [read, operate] = [{ token: token("read") }, { token: token("operate") }];
  for (const path of ["channels", "rules", "troubles", "messages"])
    expect((await get(`/api/admin/alerts/${path}`, read)).status).toBe(200);
  const attempts = [
    post(CHANNELS, WEBHOOK, operate),
    patch(`${CHANNELS}/1`, { enabled: false }, operate),
    remove(`${CHANNELS}/1`, operate),
    patch("/api/admin/alerts/rules", { sync_failed: null }, operate),
    post("/api/admin/alerts/test", { channel: "club" }, operate),
  ];
  for (const answer of await Promise.all(attempts)) expect(answer.status).toBe(403);
  expect((await get(CHANNELS, { token: null })).status).toBe(401);
});
