import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { CLIENT, type Visit, visit } from "./visit.ts";

export const CALLBACK = "https://club.example/webhooks/strava/secret?from=strava";

/** An application that listens at CALLBACK. What it answers, and how it stalls, can be changed. */
export type Subscriber = Visit & {
  /** What it was sent, oldest first, as texts. */
  readonly received: string[];
  readonly checks: URL[];
  /** Answers one request; by default as an application should. */
  answer: (request: Request) => Promise<Response>;
};

export async function challengeBack(request: Request): Promise<Response> {
  if (request.method === "POST") return new Response(null, { status: 200 });
  return Response.json({ "hub.challenge": new URL(request.url).searchParams.get("hub.challenge") });
}

export function subscriber(options: Partial<SandboxOptions> = {}): Subscriber {
  const received: string[] = [];
  const checks: URL[] = [];
  const place = visit([], {
    deliver: async (request) => {
      if (request.method === "GET") checks.push(new URL(request.url));
      else received.push(await request.clone().text());
      return self.answer(request);
    },
    ...options,
  });
  const self: Subscriber = { ...place, received, checks, answer: challengeBack };
  return self;
}

/** POST push_subscriptions. */
export function subscribe({ sandbox }: Visit, fields: Record<string, string> = {}): Promise<Response> {
  const body = new URLSearchParams({ ...CLIENT, callback_url: CALLBACK, verify_token: "proof", ...fields });
  return sandbox.fetch(new Request("https://www.strava.example/api/v3/push_subscriptions", { method: "POST", body }));
}

/** One that has subscribed already. */
export async function subscribed(options: Partial<SandboxOptions> = {}): Promise<Subscriber> {
  const self = subscriber(options);
  const response = await subscribe(self);
  if (response.status !== 201) throw new Error(`the subscription was answered with ${response.status}`);
  return self;
}

/** The events received, read. */
export const receivedEvents = ({ received }: Subscriber): Record<string, unknown>[] =>
  received.map((text) => JSON.parse(text) as Record<string, unknown>);
