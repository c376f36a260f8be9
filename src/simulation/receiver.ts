import type { Clock } from "../core/units.ts";

export const RECEIVER_URL = "https://alerts.test/hook";

const ANSWER_MS = 40;

/** Whoever is told of troubles: counts what arrives, each message once, and is away at times. */
export class Receiver {
  readonly #clock: Clock;
  readonly #ids = new Set<string>();
  #awayUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get received(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  beAway(durationMs: number): void {
    this.#awayUntilMs = Math.max(this.#awayUntilMs, this.#clock.nowMs() + durationMs);
  }

  /** Takes a message when it arrives; the answer is on its way for a moment. */
  receive({ headers }: Request): Promise<Response> {
    const isThere = this.#clock.nowMs() >= this.#awayUntilMs;
    if (isThere) this.#ids.add(headers.get("webhook-id") ?? "none");
    const answer = isThere ? new Response("ok") : new Response("away", { status: 503 });
    return new Promise((resolve) => {
      this.#clock.after(ANSWER_MS, () => resolve(answer));
    });
  }
}
