import type { Database } from "bun:sqlite";
import { athleteId } from "../core/units.ts";
import { createSeal, type Seal } from "../db/seal.ts";
import { sealContext } from "../sync/requests/token-store.ts";

type Sealed = { athlete: number; access: string; refresh: string };

/** The tokens that were ever stored, as whoever has the key sees them. */
export class StoredTokens {
  readonly #seal: Seal;
  readonly #opened = new Map<string, string>();
  readonly #tokens = new Set<string>();

  constructor(key: Uint8Array) {
    this.#seal = createSeal({ key, randomBytes: () => new Uint8Array() });
  }

  /** Looks what is stored now. */
  look(client: Database): void {
    const rows = client
      .query<Sealed, []>(
        "SELECT athlete_id AS athlete, access_token_sealed AS access, refresh_token_sealed AS refresh FROM strava_tokens",
      )
      .all();
    for (const { athlete, access, refresh } of rows) {
      this.#open(athlete, "access", access);
      this.#open(athlete, "refresh", refresh);
    }
  }

  has(token: string): boolean {
    return this.#tokens.has(token);
  }

  all(): readonly string[] {
    return [...this.#tokens];
  }

  #open(athlete: number, which: "access" | "refresh", sealed: string): void {
    if (this.#opened.has(sealed)) return;
    const token = this.#seal.open(sealed, sealContext(athleteId(athlete), which));
    this.#opened.set(sealed, token);
    this.#tokens.add(token);
  }
}
