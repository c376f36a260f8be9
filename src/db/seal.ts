/**
 * Seals secrets (Strava's tokens) before they go into the database, so that a copy of the file alone gives nobody
 * access to anyone's account. AES-256-GCM through the synchronous node:crypto: WebCrypto completes in an order that
 * varies, and a simulation has to replay.
 *
 * A sealed value is base64 of: key id (4 bytes), IV (12), tag (16), ciphertext. It is bound to its context, the place
 * where it belongs ("athlete:12:access"), so that a value copied to another row does not open there.
 */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { StartError } from "./start-error.ts";

const KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
/** 96 bits, the length that GCM is specified for without further hashing (NIST SP 800-38D, 8.2). */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = KEY_ID_BYTES + IV_BYTES + TAG_BYTES;

const CHECK_WORD = "broomwagon";
const CHECK_CONTEXT = "settings:check_word";

/** Gives so many random bytes. */
export type RandomBytes = (byteCount: number) => Uint8Array;

/** Seals and opens with one key. */
export type Seal = {
  /** Tells keys apart without telling anything of the key: eight hex digits of its hash. Fit for logs and messages. */
  readonly keyId: string;
  /** Seals `plain` for `context`. The same words give another sealed value each time. */
  seal(plain: string, context: string): string;
  /**
   * Gives back what was sealed for `context`.
   * @throws WrongKeyError when another key sealed it; BrokenSealError when it was altered, cut, or sealed for another context.
   */
  open(sealed: string, context: string): string;
};

/** What is sealed in the database was sealed with a key other than the one given. */
export class WrongKeyError extends StartError {
  override readonly name = "WrongKeyError";
  constructor(
    readonly sealedByKeyId: string,
    readonly keyId: string,
  ) {
    super(
      "wrong_key",
      `The tokens in the database were sealed with the key ${sealedByKeyId}, and the key given is ${keyId}. Nothing was changed. Give the former key back: as BROOMWAGON_SECRET_KEY, or as the file broomwagon.key in the data directory, with BROOMWAGON_SECRET_KEY unset. Without it, every athlete has to connect again.`,
    );
  }
}

/** A sealed value does not open although the key is right. Only that value is lost: its athlete connects again. */
export class BrokenSealError extends Error {
  override readonly name = "BrokenSealError";
  readonly code = "broken_seal";
  constructor(
    readonly context: string,
    options?: { cause: unknown },
  ) {
    super(
      `The sealed value of ${context} does not open: it was altered, cut short or moved from another place. What it held is lost and has to be given again; for an athlete's token, that athlete connects again.`,
      options,
    );
  }
}

/**
 * Makes a seal from a key of 32 bytes. `randomBytes` gives the IVs, and GCM falls apart when one IV serves twice under
 * one key: the daemon hands in node:crypto's own `randomBytes`. A simulation hands in dice, so that its database
 * replays byte for byte; its tokens are worth nothing, and its key must never seal a real one.
 */
export function createSeal(options: { key: Uint8Array; randomBytes: RandomBytes }): Seal {
  const { key, randomBytes } = options;
  if (key.length !== KEY_BYTES) throw new RangeError(`A key has ${KEY_BYTES} bytes, this one has ${key.length}`);
  const keyIdBytes = createHash("sha256").update("broomwagon key id\0").update(key).digest().subarray(0, KEY_ID_BYTES);
  const keyId = keyIdBytes.toString("hex");
  return {
    keyId,
    seal(plain, context) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES }).setAAD(boundTo(context));
      const ciphertext = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
      return Buffer.concat([keyIdBytes, iv, cipher.getAuthTag(), ciphertext]).toString("base64");
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed, "base64");
      if (bytes.length < HEADER_BYTES) throw new BrokenSealError(context);
      const sealedByKeyId = bytes.toString("hex", 0, KEY_ID_BYTES);
      if (sealedByKeyId !== keyId) throw new WrongKeyError(sealedByKeyId, keyId);
      const iv = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + IV_BYTES);
      const tag = bytes.subarray(KEY_ID_BYTES + IV_BYTES, HEADER_BYTES);
      const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES })
        .setAAD(boundTo(context))
        .setAuthTag(tag);
      try {
        return Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES)), decipher.final()]).toString("utf8");
      } catch (error) {
        throw new BrokenSealError(context, { cause: error });
      }
    },
  };
}

/** Seals a word that is no secret: stored beside the secrets, it tells at the next start whether the key is the same. */
export function sealCheckWord(seal: Seal): string {
  return seal.seal(CHECK_WORD, CHECK_CONTEXT);
}

/**
 * Makes sure that `seal` has the key that sealed the check word. Call it before anything is written.
 * @throws WrongKeyError when it was another; BrokenSealError when the stored word is damaged.
 */
export function openCheckWord(seal: Seal, sealed: string): void {
  if (seal.open(sealed, CHECK_CONTEXT) !== CHECK_WORD) throw new BrokenSealError(CHECK_CONTEXT);
}

/** With a name of ours in front, so that no other use of the key can be passed off as this one. */
function boundTo(context: string): Buffer {
  return Buffer.from(`broomwagon seal v1\0${context}`, "utf8");
}
