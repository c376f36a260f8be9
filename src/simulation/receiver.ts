import type { Reach } from "../alerts/post.ts";
import type { Clock } from "../core/units.ts";
import type { Holder } from "./edges.ts";

export const RECEIVER_URL = "https://alerts.test/hook";

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

  reach(process: Holder): Reach {
    return {
      resolve: () => Promise.resolve(["192.0.43.10"]),
      fetch: (request) => {
        if (!process.isAlive()) return new Promise(() => {});
        if (this.#clock.nowMs() < this.#awayUntilMs) return Promise.resolve(new Response("away", { status: 503 }));
        this.#ids.add(request.headers.get("webhook-id") ?? "none");
        return Promise.resolve(new Response("ok"));
      },
    };
  }
}
