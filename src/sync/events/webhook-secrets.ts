import { createHash, timingSafeEqual } from "node:crypto";
import type { Db } from "../../db/open.ts";
import { BrokenSealError, type RandomBytes, type Seal, WrongKeyError } from "../../db/seal.ts";
import { readSetting, type SettingName, storeSetting } from "../../db/settings.ts";

/** What Strava and this daemon share: the unguessable part of the callback's path, and the token of the handshake. */
export type WebhookSecrets = {
  /** Both, made at the first need, sealed and stored. Inside a transaction. */
  ensure(): { readonly pathSecret: string; readonly verifyToken: string };
  /** Compared in constant time; false as long as none was made. */
  isPathSecret(given: string): boolean;
  isVerifyToken(given: string): boolean;
};

/** The public path of Strava's events; the unguessable part follows. */
export const WEBHOOK_PATH = "/webhooks/strava";

/** A path or an address fit to be shown: without what nobody may guess. */
export const maskWebhookPath = (text: string): string => {
  const start = text.indexOf(`${WEBHOOK_PATH}/`);
  return start < 0 ? text : `${text.slice(0, start)}${WEBHOOK_PATH}/***`;
};

const SECRET_BYTES = 32;
type Name = Extract<SettingName, "webhook_path_secret" | "webhook_verify_token">;

/** @param options.randomBytes the machine's own, never dice. */
export function createWebhookSecrets(options: { db: Db; seal: Seal; randomBytes: RandomBytes }): WebhookSecrets {
  const { db, seal, randomBytes } = options;

  /** One that does not open is of no use to anybody: another is made, and Strava is told of it. */
  function read(name: Name): string | undefined {
    const sealed = readSetting(db, name);
    if (sealed === undefined) return undefined;
    try {
      return seal.open(sealed, contextOf(name));
    } catch (error) {
      if (error instanceof BrokenSealError || error instanceof WrongKeyError) return undefined;
      throw error;
    }
  }

  function ensure(name: Name): string {
    const known = read(name);
    if (known !== undefined) return known;
    const made = Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
    storeSetting(db, name, seal.seal(made, contextOf(name)));
    return made;
  }

  function isSecret(name: Name, given: string): boolean {
    const known = read(name);
    return known !== undefined && timingSafeEqual(digest(known), digest(given));
  }

  return {
    ensure: () => ({ pathSecret: ensure("webhook_path_secret"), verifyToken: ensure("webhook_verify_token") }),
    isPathSecret: (given) => isSecret("webhook_path_secret", given),
    isVerifyToken: (given) => isSecret("webhook_verify_token", given),
  };
}

const contextOf = (name: Name): string => `settings:${name}`;

/** Of one length whatever the texts are: `timingSafeEqual` wants that. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
