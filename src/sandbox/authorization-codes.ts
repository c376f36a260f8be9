import { rollHex } from "../core/dice.ts";
import { type Dice, MINUTE_MS } from "../core/units.ts";

/** What an athlete allowed on the authorize page, until the application exchanges the code for it. */
export type Authorization = { readonly stravaId: number; readonly scope: string };

/** Strava says "short-lived" and no more. */
const CODE_LIFE_MS = 10 * MINUTE_MS;
/** Strava's codes are 40 hexadecimal digits. */
const CODE_BYTES = 20;

/** The codes given out by the authorize page: each is good once, for ten minutes. */
export class AuthorizationCodes {
  readonly #dice: Dice;
  readonly #codes = new Map<string, Authorization & { readonly expiresAtMs: number }>();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  issue(authorization: Authorization, nowMs: number): string {
    for (const [code, { expiresAtMs }] of this.#codes) if (expiresAtMs <= nowMs) this.#codes.delete(code);
    const code = rollHex(this.#dice, CODE_BYTES);
    this.#codes.set(code, { ...authorization, expiresAtMs: nowMs + CODE_LIFE_MS });
    return code;
  }

  /** What a code stands for, and whose request this is; undefined when it is unknown, used or too old. */
  peek(code: string, nowMs: number): Authorization | undefined {
    const issued = this.#codes.get(code);
    return issued !== undefined && nowMs < issued.expiresAtMs ? issued : undefined;
  }

  /** Uses a code up. */
  spend(code: string): void {
    this.#codes.delete(code);
  }

  /** Who holds a code that can still be exchanged. */
  holders(nowMs: number): number[] {
    return [...this.#codes.values()].flatMap(({ stravaId, expiresAtMs }) => (nowMs < expiresAtMs ? stravaId : []));
  }
}
