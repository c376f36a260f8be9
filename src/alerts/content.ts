import type { AlertRuleName } from "../core/alert-rules.ts";
import type { EpochMs } from "../core/units.ts";
import type { AlertMessageKind } from "../db/schema-alerts.ts";
import { readObject } from "../db/stored-json.ts";

/** What is said, the same for every kind of channel, as it stands in the outbox. No names, no secrets, no race contents. */
export type AlertContent = {
  /** The same at every try, so that whoever gets a message twice knows it. */
  readonly id: string;
  readonly kind: AlertMessageKind;
  /** null in a test. */
  readonly rule: AlertRuleName | null;
  /** What it is about: `sync:7`; null in a test, and where several are told together. */
  readonly subject: string | null;
  /** One line. */
  readonly title: string;
  /** What is wrong, or over: a sentence or a few. */
  readonly text: string;
  /** What to do about it. */
  readonly action: string;
  /** Where to look. */
  readonly url: string | null;
  readonly traceId: string | null;
  readonly traceUrl: string | null;
  readonly occurrences: number;
  readonly openedAtMs: EpochMs | null;
  readonly closedAtMs: EpochMs | null;
  readonly createdAtMs: EpochMs;
};

/** The content of a stored message; what a hand has broken in it is empty. */
export function readContent(stored: string): AlertContent {
  const content = readObject(stored);
  const text = (key: string): string => (typeof content[key] === "string" ? String(content[key]) : "");
  // Written by `insertMessage` of this very program; the texts are what a channel could not do without.
  return {
    ...content,
    id: text("id"),
    title: text("title"),
    text: text("text"),
    action: text("action"),
  } as AlertContent;
}

/** As plain text, for channels that take no more: what, what to do, where. */
export function asPlainText({ text, action, url, traceUrl }: AlertContent): string {
  return [text, action, url, traceUrl].filter((line) => line !== null && line !== "").join("\n");
}
