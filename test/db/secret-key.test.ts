import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyFileError, loadSecretKey, SecretKeyTooShortError } from "../../src/db/secret-key.ts";

const KEY = Buffer.from("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1dfeff", "hex");

let directory: string;
let keyPath: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-key-"));
  keyPath = join(directory, "broomwagon.key");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("the first start makes a key of 32 random bytes in a private file; the next one finds it", () => {
  const made = loadSecretKey({ keyPath });
  expect(made).toMatchObject({ source: "new_key_file", warnings: [] });
  expect(made.key).toHaveLength(32);
  expect(statSync(keyPath).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["broomwagon.key"]);
  const found = loadSecretKey({ keyPath, whenMissing: "refuse" });
  expect(found).toMatchObject({ source: "key_file", warnings: [] });
  expect(found.key.equals(made.key)).toBe(true);
});

test("two directories get two keys", () => {
  expect(loadSecretKey({ keyPath }).key.equals(loadSecretKey({ keyPath: `${keyPath}2` }).key)).toBe(false);
});

test("32 bytes in hex or base64, padded or not, with a line end or not, are the key as they stand", () => {
  const texts = [
    KEY.toString("hex"),
    KEY.toString("hex").toUpperCase(),
    KEY.toString("base64"),
    KEY.toString("base64url"),
  ];
  for (const text of [...texts, `${KEY.toString("base64")}\n`]) {
    const loaded = loadSecretKey({ configured: text, keyPath });
    expect(loaded.key.equals(KEY)).toBe(true);
    expect(loaded.source).toBe("configured");
  }
  expect(existsSync(keyPath)).toBe(false);
});

test("any other text is a passphrase: the same words give the same key, others another", () => {
  const key = (configured: string) => loadSecretKey({ configured, keyPath }).key;
  expect(key("correct horse battery")).toHaveLength(32);
  expect(key("correct horse battery\n").equals(key("correct horse battery"))).toBe(true);
  expect(key("correct horse battery").equals(key("correct horse batterx"))).toBe(false);
});

test("a passphrase has 16 characters at least", () => {
  expect(() => loadSecretKey({ configured: "x".repeat(15), keyPath })).toThrow(SecretKeyTooShortError);
  expect(() => loadSecretKey({ configured: ` ${"x".repeat(15)} `, keyPath })).toThrow(SecretKeyTooShortError);
  expect(() => loadSecretKey({ configured: "", keyPath })).toThrow(SecretKeyTooShortError);
  expect(loadSecretKey({ configured: "x".repeat(16), keyPath }).key).toHaveLength(32);
});

test("the configured key goes before the file, and leaves the file alone", () => {
  loadSecretKey({ keyPath });
  const before = readFileSync(keyPath, "utf8");
  expect(loadSecretKey({ configured: KEY.toString("hex"), keyPath }).key.equals(KEY)).toBe(true);
  expect(readFileSync(keyPath, "utf8")).toBe(before);
});

test("a key file that others can read is made private, with a warning", () => {
  loadSecretKey({ keyPath });
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(keyPath, mode);
    expect(loadSecretKey({ keyPath }).warnings).toEqual([expect.stringContaining(keyPath)]);
    expect(statSync(keyPath).mode & 0o777).toBe(0o600);
    expect(loadSecretKey({ keyPath }).warnings).toEqual([]);
  }
});

test("a key file that is its owner's alone is left as it is", () => {
  loadSecretKey({ keyPath });
  for (const mode of [0o400, 0o600, 0o700]) {
    chmodSync(keyPath, mode);
    expect(loadSecretKey({ keyPath }).warnings).toEqual([]);
    expect(statSync(keyPath).mode & 0o777).toBe(mode);
  }
});

test("a key file with anything but a key is refused, left as it is, and not quoted", () => {
  for (const text of ["", "half a key AAAA", "x".repeat(100), KEY.subarray(1).toString("base64")]) {
    writeFileSync(keyPath, text, { mode: 0o600 });
    expect(() => loadSecretKey({ keyPath })).toThrow(KeyFileError);
    expect(() => loadSecretKey({ keyPath })).toThrow(expect.not.stringContaining("AAAA"));
    expect(readFileSync(keyPath, "utf8")).toBe(text);
  }
});

test("something that is no file is refused as a key file", () => {
  mkdirSync(keyPath);
  expect(() => loadSecretKey({ keyPath })).toThrow(KeyFileError);
});

test("no new key is made for a database that an older one has sealed", () => {
  expect(() => loadSecretKey({ keyPath, whenMissing: "refuse" })).toThrow(/missing/);
  expect(existsSync(keyPath)).toBe(false);
  expect(loadSecretKey({ configured: KEY.toString("hex"), keyPath, whenMissing: "refuse" }).source).toBe("configured");
});
