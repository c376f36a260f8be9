import { createHmac, timingSafeEqual } from "node:crypto";
import { RECEIVER_CERT, RECEIVER_KEY } from "./smtp-server.ts";

/** A message that a receiver was sent, whether or not it took it. */
export type ReceivedMessage = {
  readonly path: string;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a message holds is what a test asks.
  readonly body: any;
};

export type WebhookReceiver = {
  readonly port: number;
  readonly url: string;
  /** Every request so far, in the order of arrival. */
  requests(): readonly ReceivedMessage[];
  /** Answers the next requests so; 200 unless told. */
  answerWith(status: number, headers?: Readonly<Record<string, string>>): void;
  /** Requests that were called off before they were answered. */
  calledOff(): number;
  /** Leaves the next requests without an answer. */
  hang(): void;
  stop(): Promise<void>;
};

/** A receiver of messages on the loopback interface: a real HTTP server, or HTTPS as `receiver.test`. */
export function startWebhookReceiver(options: { port?: number; tls?: boolean } = {}): WebhookReceiver {
  const received: ReceivedMessage[] = [];
  let calledOff = 0;
  let answer: { status: number; headers: Readonly<Record<string, string>> } | "none" = { status: 200, headers: {} };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    ...(options.tls === true ? { tls: { cert: RECEIVER_CERT, key: RECEIVER_KEY } } : {}),
    async fetch(request) {
      request.signal.addEventListener("abort", () => {
        calledOff++;
      });
      const text = await request.text();
      const { pathname, search } = new URL(request.url);
      received.push({ path: pathname + search, headers: request.headers, text, body: JSON.parse(text) });
      if (answer === "none") return new Promise<Response>(() => {});
      return new Response("words of the receiver's that nobody may repeat", answer);
    },
  });
  return {
    port: server.port ?? 0,
    url: `${options.tls === true ? "https" : "http"}://127.0.0.1:${server.port}`,
    requests: () => [...received],
    answerWith(status, headers = {}) {
      answer = { status, headers };
    },
    calledOff: () => calledOff,
    hang() {
      answer = "none";
    },
    stop: () => server.stop(true),
  };
}

/** How old a message may be, either way: the scheme leaves it to the receiver, and its libraries take five minutes. */
const TOLERANCE_MS = 5 * 60_000;

/**
 * What a receiver does by the Standard Webhooks scheme: the signature over id, time and body, and a time that is not old.
 * Written from the scheme's own words, not from our code.
 */
export function isVerified(secret: string, { headers, text }: ReceivedMessage, nowMs: number): boolean {
  const [id, seconds, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    headers.get(name),
  );
  if (id == null || seconds == null || given == null) return false;
  if (Math.abs(nowMs - Number(seconds) * 1_000) > TOLERANCE_MS) return false;
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const expected = Buffer.from(createHmac("sha256", key).update(`${id}.${seconds}.${text}`).digest("base64"));
  return given.split(" ").some((one) => {
    const [version, signature = ""] = one.split(",");
    const bytes = Buffer.from(signature);
    return version === "v1" && bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
}
