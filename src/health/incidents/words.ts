import { redactText } from "../../telemetry/redact.ts";

/** Takes out of texts what must not leave the house. */
export type Scrub = (text: string) => string;

const REMOVED = "[removed]";
/** Ids of Strava's have so many digits today; times have 13. */
const ID = /(?<![\d.])\d{9,12}(?![\d.])/g;
const ADDRESS = /\bhttps?:\/\/[^\s"')]+/gi;
const WORD = /[\p{L}\p{N}]+/gu;
/** A shorter name is part of too much else. */
const NAME_LENGTH_MIN = 3;

/**
 * Messages hold no names and no ids of Strava's, by their making (I10); a hand, and a fault nobody thought of, may have put
 * one there. So what is known to belong to the athlete is taken out, and whatever looks like an id, an address or a secret.
 * It costs as much as the text is long, however many names there are.
 */
export function createScrub(names: readonly string[]): Scrub {
  const byFirstWord = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const first = name.matchAll(WORD).next().value;
    if (first === undefined || name.length < NAME_LENGTH_MIN) continue;
    const firstWord = first[0].toLowerCase();
    const known = byFirstWord.get(firstWord) ?? [];
    byFirstWord.set(
      firstWord,
      [...known, name.slice(first.index).trim()].sort((a, b) => b.length - a.length),
    );
  }
  return (text) => removeNames(redactText(text).replace(ADDRESS, REMOVED).replace(ID, REMOVED), byFirstWord);
}

function removeNames(text: string, byFirstWord: ReadonlyMap<string, readonly string[]>): string {
  let left = "";
  let doneTo = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (index < doneTo) continue;
    const name = byFirstWord.get(word.toLowerCase())?.find((known) => standsThere(text, index, known));
    if (name === undefined) continue;
    left += text.slice(doneTo, index) + REMOVED;
    doneTo = index + name.length;
  }
  return left + text.slice(doneTo);
}

/** As a word, in whatever case: a name is not found inside another one. */
const standsThere = (text: string, index: number, name: string): boolean =>
  text.slice(index, index + name.length).toLowerCase() === name.toLowerCase() &&
  !/^[\p{L}\p{N}]/u.test(text.slice(index + name.length, index + name.length + 2));
