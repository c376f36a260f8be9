import { createHash } from "node:crypto";
import type { RandomBytes } from "./seal.ts";

const SECRET_BYTES = 32;

/** A secret that proves something by being known: 256 bits, fit for an address. Shown once, and kept as `hashSecret` of it. */
export const makeSecret = (randomBytes: RandomBytes): string =>
  Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");

/** What is kept of a secret: its SHA-256 as hex. It has 256 bits of its own, so it needs no salt and no stretching. */
export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");
