import type { Clock } from "../core/units.ts";
import { redactField, redactText } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
/** Keys are `snake_case`; a field that is undefined is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Writes one line an event. `event` has few values (`batch.completed`), so that lines can be counted by it; `message` is
 * a sentence for people. Nothing here throws, and no credential or personal field passes (I10, `redact.ts`).
 */
export type Log = {
  debug(event: string, message: string, fields?: LogFields): void;
  info(event: string, message: string, fields?: LogFields): void;
  warn(event: string, message: string, fields?: LogFields): void;
  error(event: string, message: string, fields?: LogFields): void;
  /** A log whose every line carries these fields too; a line's own fields win. */
  with(fields: LogFields): Log;
};

export type LogOptions = {
  /** Takes one line, without its line break. */
  readonly write: (line: string) => void;
  readonly clock: Clock;
  /** Lines below this level are dropped. */
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  /** ANSI colours in `pretty`. Left out: none. */
  readonly color?: boolean;
};

/** A log that writes to `write`, as JSON for machines or as lines for people. */
export function createLog(options: LogOptions): Log {
  return logWith(options, {});
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** These come first, in this order, so that lines of one batch line up. */
const LEADING_FIELDS = ["trace_id", "span_id", "sync_id", "batch_id", "athlete_id"] as const;
const OWN_KEYS: ReadonlySet<string> = new Set(["time", "level", "event", "message"]);

type Line = { time: string; level: LogLevel; event: string; message: string; fields: [string, Value][] };
type Value = string | number | boolean | null;

function logWith(options: LogOptions, bound: LogFields): Log {
  const at = (level: LogLevel) => (event: string, message: string, fields?: LogFields) => {
    if (RANK[level] < RANK[options.level]) return;
    try {
      const line: Line = {
        time: isoTime(options.clock),
        level,
        event,
        message: redactText(message),
        fields: orderedFields({ ...bound, ...fields }),
      };
      options.write(options.format === "json" ? asJson(line) : asPretty(line, options.color ?? false));
    } catch {
      // A full disk or a closed pipe under the log must never stop a sync, and there is nowhere left to say so.
    }
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => logWith(options, { ...bound, ...fields }),
  };
}

function isoTime(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString();
}

/** Redacted, without what is undefined, the ids first; a field may not pose as the line's own time or level. */
function orderedFields(fields: LogFields): [string, Value][] {
  const keys = [...LEADING_FIELDS, ...Object.keys(fields).filter((key) => !isLeading(key))];
  return keys.flatMap((key): [string, Value][] => {
    const value = fields[key];
    if (value === undefined) return [];
    const name = OWN_KEYS.has(key) ? `field_${key}` : key;
    if (value === null) return [[name, null]];
    // JSON has no NaN or Infinity and would write null for them.
    const writable = typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
    return [[name, redactField(key, writable)]];
  });
}

function isLeading(key: string): boolean {
  return LEADING_FIELDS.some((leading) => leading === key);
}

function asJson({ fields, ...line }: Line): string {
  return JSON.stringify({ ...line, ...Object.fromEntries(fields) });
}

const DIM = 2;
const COLOR_OF: Readonly<Record<LogLevel, number>> = { debug: DIM, info: 36, warn: 33, error: 31 };

/** `2025-11-17 02:00:00.123Z INFO  Sync 3 started [sync.started] sync_id=3`, the time in UTC. */
function asPretty({ time, level, event, message, fields }: Line, color: boolean): string {
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const details = [`[${event}]`, ...fields.map(([key, value]) => `${key}=${prettyValue(value)}`)]
    .map(oneLine)
    .join(" ");
  return [
    paint(DIM, time.replace("T", " ")),
    paint(COLOR_OF[level], level.toUpperCase().padEnd(5)),
    oneLine(message),
    paint(DIM, details),
  ].join(" ");
}

function prettyValue(value: Value): string {
  return typeof value === "string" && /[\s"=]|^$/.test(value) ? JSON.stringify(value) : String(value);
}

/** Escapes control characters: text from outside must not break the line or drive the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1).replace("\u007f", "\\u007f"));
}
