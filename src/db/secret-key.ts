import { randomBytes, scryptSync } from "node:crypto";
import { chmodSync, readFileSync, statSync } from "node:fs";
import { PRIVATE_MODE, writePrivateFile } from "./private-file.ts";
import { StartError } from "./start-error.ts";

const KEY_BYTES = 32;
/** A configured key that is no 32 bytes in hex or base64 is taken as a passphrase of at least so many characters. */
export const PASSPHRASE_LENGTH_MIN = 16;

/** The key that seals the tokens, and where it came from. `warnings` are sentences for the operator. Never print `key`. */
export type SecretKey = {
  readonly key: Buffer;
  readonly source: "configured" | "key_file" | "new_key_file";
  readonly warnings: string[];
};

/** The configured key is short enough to be guessed. */
export class SecretKeyTooShortError extends StartError {
  override readonly name = "SecretKeyTooShortError";
  constructor() {
    super(
      "secret_key_too_short",
      `BROOMWAGON_SECRET_KEY is too short. Give 32 random bytes in hex or base64 ("openssl rand -base64 32"), or a passphrase of at least ${PASSPHRASE_LENGTH_MIN} characters; or unset it, and a key file is used.`,
    );
  }
}

/** The key file is there and of no use, or is missing where it must be. */
export class KeyFileError extends StartError {
  override readonly name = "KeyFileError";
  constructor(
    readonly path: string,
    readonly reason: string,
    options?: { cause: unknown },
  ) {
    super(
      "key_file_unreadable",
      `The key file ${path} ${reason}. Nothing was changed. Put the right file back from a backup, or give its key as BROOMWAGON_SECRET_KEY. A new key would open none of the stored tokens, and every athlete would have to connect again.`,
      options,
    );
  }
}

/**
 * Finds the key that seals the tokens: the configured one, else the one in the key file, which is made from the
 * machine's secure randomness when it is missing, readable by its owner only. `whenMissing: "refuse"` is for a database
 * that already holds sealed tokens: a new key would open none of them.
 *
 * Configured, 32 bytes in hex or base64 are the key as they stand; anything else is a passphrase, stretched with scrypt
 * under a fixed salt: the same words give the same key on every machine, and are worth what they are hard to guess.
 * @throws SecretKeyTooShortError, KeyFileError; the file system's error when a new file cannot be written.
 */
export function loadSecretKey(options: {
  configured?: string;
  keyPath: string;
  whenMissing?: "create" | "refuse";
}): SecretKey {
  const { configured, keyPath } = options;
  if (configured !== undefined) return { key: keyFromText(configured), source: "configured", warnings: [] };
  const found = readKeyFile(keyPath);
  if (found !== undefined) return { key: found, source: "key_file", warnings: repairPermissions(keyPath) };
  if (options.whenMissing === "refuse") {
    throw new KeyFileError(keyPath, "is missing, and the database holds tokens that were sealed with its key");
  }
  const key = randomBytes(KEY_BYTES);
  writePrivateFile(keyPath, `${key.toString("base64")}\n`);
  return { key, source: "new_key_file", warnings: [] };
}

/**
 * The key that a configured text stands for.
 * @throws SecretKeyTooShortError
 */
export function keyFromText(text: string): Buffer {
  // A secret that comes out of a file often ends with a line end.
  const trimmed = text.trim();
  const exact = parseExactKey(trimmed);
  if (exact !== undefined) return exact;
  if (trimmed.length < PASSPHRASE_LENGTH_MIN) throw new SecretKeyTooShortError();
  return scryptSync(trimmed, "broomwagon secret key v1", KEY_BYTES);
}

function readKeyFile(path: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new KeyFileError(path, `cannot be read (${error instanceof Error ? error.message : String(error)})`, {
      cause: error,
    });
  }
  const key = parseExactKey(text.trim());
  if (key === undefined) throw new KeyFileError(path, `does not hold a key of ${KEY_BYTES} bytes in base64`);
  return key;
}

function parseExactKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, "base64");
  return undefined;
}

function repairPermissions(path: string): string[] {
  // Windows keeps no such permissions; what it reports is made up.
  if (process.platform === "win32" || (statSync(path).mode & 0o077) === 0) return [];
  try {
    chmodSync(path, PRIVATE_MODE);
  } catch {
    return [
      `Others can read the key file ${path}, and its permissions cannot be changed: make it private (chmod 600).`,
    ];
  }
  return [
    `Others could read the key file ${path}; it is private now. Whoever may have copied it can open a copied database.`,
  ];
}
