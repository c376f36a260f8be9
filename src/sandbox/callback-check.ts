import { rollHex } from "../core/dice.ts";
import type { Clock, Dice, Fetch } from "../core/units.ts";
import { withinTime } from "./time-limit.ts";

/** How the address of a subscription answered when it was asked. */
export type CallbackProof =
  | "verified"
  | "not verifiable" // no answer within 2 s, or without the challenge
  | "GET to callback URL does not return 200";

/** What a request to an application's callback has to do with. */
export type CallbackLine = {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly deliver: Fetch;
  /** Aborted when the sandbox stops. */
  readonly callOff: AbortSignal;
};

/** Strava waits so long for an answer of the application's, to the check and to an event. */
export const CALLBACK_LIMIT_MS = 2_000;

/** Asks an address whether it wants the events: it must give the challenge back. */
export async function checkCallback(
  { url, verifyToken }: { url: string; verifyToken: string },
  { clock, dice, deliver, callOff }: CallbackLine,
): Promise<CallbackProof> {
  const challenge = rollHex(dice, CHALLENGE_BYTES);
  const target = new URL(url);
  target.searchParams.set("hub.mode", "subscribe");
  target.searchParams.set("hub.challenge", challenge);
  target.searchParams.set("hub.verify_token", verifyToken);
  const asked = await withinTime({ clock, limitMs: CALLBACK_LIMIT_MS, callOff }, async (signal) => {
    const response = await deliver(new Request(target, { signal, redirect: "manual" }));
    return { status: response.status, text: await response.text() };
  });
  if (asked.outcome !== "done") return "not verifiable";
  if (asked.value.status !== 200) return "GET to callback URL does not return 200";
  return readChallenge(asked.value.text) === challenge ? "verified" : "not verifiable";
}

const CHALLENGE_BYTES = 8;

function readChallenge(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && "hub.challenge" in body ? body["hub.challenge"] : undefined;
  } catch {
    // Whatever is no JSON does not hold the challenge.
    return undefined;
  }
}
