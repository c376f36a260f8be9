import { type ChannelSettings, sealSettings } from "../../src/alerts/channel-settings.ts";
import type { Reach } from "../../src/alerts/post.ts";
import { systemReach } from "../../src/alerts/system-reach.ts";
import type { AlertRuleName, TroubleSubject } from "../../src/core/alert-rules.ts";
import { insertChannel } from "../../src/db/alert-channels.ts";
import { readMessages } from "../../src/db/alert-messages.ts";
import { readTroubles } from "../../src/db/alert-troubles.ts";
import { storeSetting } from "../../src/db/settings.ts";
import { tellTrouble, tellTroubleOver } from "../../src/sync/trouble.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "./engine.ts";
import { tickMinutes } from "./hand.ts";

export const WEBHOOK_SECRET = `whsec_${Buffer.from("a secret of the tests, of 32 b.").toString("base64")}`;

/** A channel as if the API had made it. @returns its id. */
export function addChannel(engine: TestEngine, settings: ChannelSettings, name: string = settings.kind): number {
  const { db, seal, clock } = engine;
  return engine.commits.now(
    () =>
      insertChannel(db, {
        name,
        kind: settings.kind,
        keyId: seal.keyId,
        seal: (id) => sealSettings(seal, id, settings),
        nowMs: clock.nowMs(),
        by: "test",
      }).id,
  );
}

export const webhookTo = (url: string, allowPrivate = true): ChannelSettings => ({
  kind: "webhook",
  url,
  secret: WEBHOOK_SECRET,
  allowPrivate,
});

/** The machine's own `fetch`, and names that lead where the test says. */
export const reachTo = (names: Readonly<Record<string, readonly string[]>>): Reach => ({
  fetch: systemReach.fetch,
  resolve: async (host) => names[host] ?? [],
});

/** Opens a trouble, as a lower room does. */
export function makeTrouble(
  engine: TestEngine,
  subject: TroubleSubject = "athlete:1",
  rule: AlertRuleName = "sync_failed",
): void {
  const message = `The sync of ${subject} failed: the list could not be read.`;
  engine.commits.now(() => tellTrouble(engine.context, { rule, subject, message, traceId: "4bf92f3577b34da6" }));
}

export function endTrouble(
  engine: TestEngine,
  subject: TroubleSubject = "athlete:1",
  rule: AlertRuleName = "sync_failed",
): void {
  engine.commits.now(() => tellTroubleOver(engine.context, { rule, subject }));
}

export function setRules(engine: TestEngine, rules: unknown): void {
  engine.commits.now(() => storeSetting(engine.db, "alert_rules", JSON.stringify(rules)));
}

/** Every message, the oldest first. */
export const messagesOf = (engine: TestEngine) =>
  [...readMessages(engine.db, {}, Number.MAX_SAFE_INTEGER, 500)].reverse();
export const troublesOf = (engine: TestEngine) => readTroubles(engine.db, {}, Number.MAX_SAFE_INTEGER, 500);

/** What was put into the outbox, as `alert: A sync failed`. */
export const saidBy = (engine: TestEngine) =>
  messagesOf(engine).map(({ kind, content }) => `${kind}: ${JSON.parse(content).title}`);

/** An engine with one channel, whose receiver takes everything. */
export function engineThatTells(options: TestEngineOptions = {}): TestEngine {
  const engine = createTestEngine({ reach: TAKES_ALL, ...options });
  addChannel(engine, webhookTo("https://receiver.test/"));
  return engine;
}
export const TAKES_ALL: Reach = {
  fetch: async () => new Response(null),
  resolve: async () => ["93.184.215.14"],
};

/** Minutes in which monitor, processor and alerts have their turns. */
export async function minutes(engine: TestEngine, count: number): Promise<void> {
  for (let minute = 0; minute < count; minute++) {
    await tickMinutes(engine, 1);
    await alertTick(engine);
  }
}

/** Minutes in which only the alerts have theirs. */
export async function alertMinutes(engine: TestEngine, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await engine.clock.advance(60_000);
    await alertTick(engine);
  }
}

/** One turn of the alerts' job. */
export async function alertTick(engine: TestEngine): Promise<void> {
  const ticked = engine.alerts.tick();
  await engine.clock.advance(0);
  await ticked;
  await engine.clock.advance(0);
}

/** So much simulated time passes at once while sockets are waited for: a delivery's limit is many of these. */
const STEP_MS = 100;

/** Lets simulated time pass until something is so, a little at once: real sockets answer in between. */
export async function passUntil(engine: TestEngine, isSo: () => boolean): Promise<void> {
  for (let step = 0; step < 5_000; step++) {
    if (isSo()) return;
    await engine.clock.advance(STEP_MS);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error("It does not come about");
}

/** Lets the time pass until the next message is due, while nothing is under way. */
export async function passTillDue(engine: TestEngine): Promise<void> {
  const due = messagesOf(engine).flatMap(({ settledAtMs, runAfterMs }) => (settledAtMs === null ? [runAfterMs] : []));
  await engine.clock.advance(Math.max(0, Math.min(...due) - engine.clock.nowMs()));
}
