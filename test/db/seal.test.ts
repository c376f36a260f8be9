import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { seededDice } from "../../src/core/dice.ts";
import { BrokenSealError, createSeal, openCheckWord, sealCheckWord, WrongKeyError } from "../../src/db/seal.ts";

const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);
const seal = createSeal({ key: KEY, randomBytes });

test("what was sealed opens again for the same context, whatever it holds", () => {
  for (const plain of ["", "a3f9", "Zoë 🏃", "x".repeat(5_000)]) {
    expect(seal.open(seal.seal(plain, "athlete:12:access"), "athlete:12:access")).toBe(plain);
  }
});

test("the sealed value shows nothing of the secret, nor that two secrets are the same", () => {
  const first = seal.seal("refresh-token", "athlete:12:refresh");
  const second = seal.seal("refresh-token", "athlete:12:refresh");
  expect(first).not.toBe(second);
  expect(Buffer.from(first, "base64").toString("latin1")).not.toContain("refresh");
});

test("a value sealed for one place does not open in another", () => {
  const sealed = seal.seal("secret", "athlete:12:access");
  expect(() => seal.open(sealed, "athlete:13:access")).toThrow(BrokenSealError);
  expect(() => seal.open(sealed, "athlete:12:refresh")).toThrow(BrokenSealError);
});

test("another key is told apart from damage, by the ids of both keys", () => {
  const other = createSeal({ key: OTHER_KEY, randomBytes });
  const sealed = seal.seal("secret", "athlete:12:access");
  expect(() => other.open(sealed, "athlete:12:access")).toThrow(WrongKeyError);
  expect(() => other.open(sealed, "athlete:12:access")).toThrow(new RegExp(`${seal.keyId}.*${other.keyId}`));
});

test("a value of which any one byte was altered does not open", () => {
  const sealed = Buffer.from(seal.seal("secret", "c"), "base64");
  for (let index = 0; index < sealed.length; index++) {
    const altered = Buffer.from(sealed);
    altered[index] = (altered[index] ?? 0) ^ 1;
    const expected = index < 4 ? WrongKeyError : BrokenSealError;
    expect(() => seal.open(altered.toString("base64"), "c")).toThrow(expected);
  }
});

test("a value that was cut, emptied or never sealed does not open", () => {
  const sealed = Buffer.from(seal.seal("", "c"), "base64");
  expect(sealed.length).toBe(32);
  expect(seal.open(sealed.toString("base64"), "c")).toBe("");
  expect(() => seal.open(sealed.subarray(0, 31).toString("base64"), "c")).toThrow(BrokenSealError);
  expect(() => seal.open("", "c")).toThrow(BrokenSealError);
  expect(() => seal.open("no base64 at all!", "c")).toThrow(BrokenSealError);
});

test("errors name the context and no secret", () => {
  const sealed = seal.seal("hush", "athlete:12:access");
  const message = () => {
    try {
      return seal.open(sealed, "athlete:13:access");
    } catch (error) {
      return String(error);
    }
  };
  expect(message()).toContain("athlete:13:access");
  expect(message()).not.toContain("hush");
  expect(message()).not.toContain(sealed);
});

test("the key id stays the same over restarts, differs by key, and shows nothing of the key", () => {
  expect(createSeal({ key: KEY, randomBytes }).keyId).toBe(seal.keyId);
  expect(createSeal({ key: OTHER_KEY, randomBytes }).keyId).not.toBe(seal.keyId);
  expect(seal.keyId).toMatch(/^[0-9a-f]{8}$/);
});

test("with seeded dice a seal repeats itself byte for byte", () => {
  const seeded = () => {
    const dice = seededDice(1);
    return createSeal({ key: KEY, randomBytes: (count) => Uint8Array.from({ length: count }, () => dice() * 256) });
  };
  expect(seeded().seal("secret", "c")).toBe(seeded().seal("secret", "c"));
});

test("a key of another length is refused", () => {
  expect(() => createSeal({ key: Buffer.alloc(31), randomBytes })).toThrow(RangeError);
  expect(() => createSeal({ key: Buffer.alloc(33), randomBytes })).toThrow(RangeError);
});

test("the check word tells at the start whether the key is the same", () => {
  const stored = sealCheckWord(seal);
  expect(() => openCheckWord(seal, stored)).not.toThrow();
  expect(() => openCheckWord(createSeal({ key: OTHER_KEY, randomBytes }), stored)).toThrow(WrongKeyError);
  expect(() => openCheckWord(seal, seal.seal("broomwagon", "elsewhere"))).toThrow(BrokenSealError);
  expect(new WrongKeyError("a", "b")).toMatchObject({ code: "wrong_key", exitCode: 1 });
});
