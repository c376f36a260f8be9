import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importBody, SANDBOX_CLIENT } from "../../src/cli/sandbox-introduction.ts";
import { pause } from "../../src/cli/world.ts";
import { systemClock } from "../../src/clock.ts";
import { SECOND_MS } from "../../src/core/units.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { serveSandbox } from "../../src/sandbox/serve.ts";
import { aDaemon, type RunningDaemon } from "../cli/running-daemon.ts";
import { type SmtpServer, startSmtpServer } from "../support/smtp-server.ts";
import { isVerified, startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

/** Real clocks, sockets and a real Strava sandbox: what they take on a busy machine. */
setDefaultTimeout(60_000);

let directory: string;
let sandbox: Sandbox;
let strava: { url: string; stop(): Promise<void> };
let receiver: WebhookReceiver;
let mail: SmtpServer;
let daemon: RunningDaemon | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-alerts-"));
  sandbox = createSandbox({ clock: systemClock, seed: 5, club: { athletes: [{ activities: 40, races: 5 }] } });
  strava = serveSandbox(sandbox, { port: 0 });
  receiver = startWebhookReceiver();
  mail = await startSmtpServer();
});
afterEach(async () => {
  await daemon?.end();
  daemon = undefined;
  await Promise.all([strava.stop(), receiver.stop(), mail.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

const start = async (): Promise<RunningDaemon> => {
  daemon = await aDaemon(directory, {
    args: [
      `--strava-api-url=${strava.url}/api/v3`,
      `--strava-oauth-url=${strava.url}/oauth`,
      `--strava-client-id=${SANDBOX_CLIENT.id}`,
      `--strava-client-secret=${SANDBOX_CLIENT.secret}`,
    ],
  });
  return daemon;
};

async function until(holds: () => boolean): Promise<void> {
  for (const startMs = systemClock.nowMs(); !holds(); await pause(systemClock, 5)) {
    if (systemClock.nowMs() > startMs + 30 * SECOND_MS) throw new Error("It did not come about within 30 s");
  }
}

test("an athlete who revoked the access is told of by webhook and by mail, by a daemon as it runs", async () => {
  const { get, post, world } = await start();
  const hook = { name: "club", kind: "webhook", url: `http://localhost:${receiver.port}/in`, allow_private: true };
  const { secret } = (await post("/api/admin/alerts/channels", hook)).body;
  await post("/api/admin/alerts/channels", {
    name: "mail",
    kind: "email",
    host: "localhost",
    port: mail.port,
    tls: "none",
    from: "broomwagon@club.test",
    to: ["admin@club.test"],
    allow_private: true,
  });
  expect(await world.run("alert", "test", "club")).toBe(0);
  expect(await world.run("alert", "test", "mail")).toBe(0);
  expect(world.lines).toContain("The test was delivered to club.");
  const [athlete] = sandbox.athletes();
  if (athlete === undefined) throw new Error("The club is empty");
  const { body } = await post("/api/admin/athletes", { ...importBody(athlete), expires_at: 1 });
  sandbox.revokeGrant(athlete.stravaId);
  await post(`/api/admin/athletes/${body.id}/sync`);
  await until(() => receiver.requests().length === 2 && mail.mails().length === 2);
  const [, message] = receiver.requests();
  if (message === undefined) throw new Error("Nothing was received");
  expect(isVerified(secret, message, systemClock.nowMs())).toBe(true);
  expect(message.body).toMatchObject({ type: "alert.opened", data: { rule: "needs_reconnect", subject: "athlete:1" } });
  expect(mail.mails()[1]?.source).toContain("Subject: An athlete needs to reconnect");
  const told = `${message.text}\n${mail.mails()[1]?.source}`;
  for (const secretOrName of [athlete.refreshToken, athlete.firstName, athlete.lastName])
    expect(told).not.toContain(secretOrName);
  // The receivers have them before the outbox knows.
  const delivered = async () => (await get("/api/admin/alerts/messages?outcome=delivered")).body.items.length;
  for (let tries = 0; tries < 400 && (await delivered()) < 4; tries++) await pause(systemClock, 25);
  expect(await delivered()).toBe(4);
});

test("a test that is not delivered fails with the reason", async () => {
  const { post, world } = await start();
  await post("/api/admin/alerts/channels", {
    name: "inside",
    kind: "webhook",
    url: `http://localhost:${receiver.port}/`,
  });
  expect(await world.run("alert", "test", "inside")).toBe(1);
  expect(world.errors.join("\n")).toContain("private address");
  await post("/api/admin/alerts/channels", {
    name: "down",
    kind: "webhook",
    url: "http://localhost:9/",
    allow_private: true,
  });
  expect(await world.run("alert", "test", "down")).toBe(1);
  expect(world.errors.join("\n")).toContain("It could not be reached (ECONNREFUSED).");
  expect(receiver.requests()).toEqual([]);
});

test("a stop does not wait for a receiver that hangs, and the next start sends the message again", async () => {
  receiver.hang();
  const first = await start();
  await first.post("/api/admin/alerts/channels", {
    name: "club",
    kind: "webhook",
    url: `http://localhost:${receiver.port}/`,
    allow_private: true,
  });
  const [athlete] = sandbox.athletes();
  if (athlete === undefined) throw new Error("The club is empty");
  const { body } = await first.post("/api/admin/athletes", { ...importBody(athlete), expires_at: 1 });
  sandbox.revokeGrant(athlete.stravaId);
  await first.post(`/api/admin/athletes/${body.id}/sync`);
  await until(() => receiver.requests().length === 1);
  const startMs = systemClock.nowMs();
  expect(await first.end()).toBe(0);
  await until(() => receiver.calledOff() === 1);
  // Sooner than a delivery would be called off anyway.
  expect(systemClock.nowMs() - startMs).toBeLessThan(10 * SECOND_MS);
  receiver.answerWith(200);
  await start();
  await until(() => receiver.requests().length === 2);
  const [one, two] = receiver.requests().map(({ headers, text }) => [headers.get("webhook-id"), text]);
  expect(one).toEqual(two);
});
