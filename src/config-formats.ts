import { Cron } from "croner";
import { formatDuration, parseDuration } from "./core/duration.ts";

/** How the text of a setting is read. */
export type Format<Value> = {
  /** Completes "expected …". */
  readonly expected: string;
  /** Undefined when the text is not what was expected. */
  readonly parse: (text: string) => { readonly value: Value } | undefined;
};

export function text({ expected, pattern }: { expected: string; pattern: RegExp }): Format<string> {
  return { expected, parse: (written) => (pattern.test(written) ? { value: written } : undefined) };
}

export function wholeNumber({ min, max, of }: { min: number; max: number; of: string }): Format<number> {
  return {
    expected: `${of}: a whole number from ${min} to ${max}`,
    parse(written) {
      const value = /^\d+$/.test(written) ? Number(written) : Number.NaN;
      return value >= min && value <= max ? { value } : undefined;
    },
  };
}

/** Milliseconds, both ends included. */
export function duration({ minMs, maxMs }: { minMs: number; maxMs: number }): Format<number> {
  return {
    expected: `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, written like 500ms, 90s, 10m, 48h or 7d`,
    parse(written) {
      const value = parseDuration(written);
      return value !== undefined && value >= minMs && value <= maxMs ? { value } : undefined;
    },
  };
}

export function choice<const Choice extends string>(...choices: readonly Choice[]): Format<Choice> {
  return {
    expected: choices.join(" or "),
    parse(written) {
      const value = choices.find((candidate) => candidate === written.toLowerCase());
      return value === undefined ? undefined : { value };
    },
  };
}

export const yesOrNo: Format<boolean> = {
  expected: "true or false",
  parse(written) {
    const lower = written.toLowerCase();
    return lower === "true" || lower === "false" ? { value: lower === "true" } : undefined;
  },
};

/** An address without a slash at its end, so that paths can be appended. */
export const httpUrl: Format<string> = {
  expected: "an http or https address, such as https://races.example.org/broomwagon, without ? or #",
  parse(written) {
    const url = parseHttpUrl(written);
    if (url === undefined || url.search !== "" || url.hash !== "") return undefined;
    return { value: url.href.replace(/\/+$/, "") };
  },
};

/** An address that is used just as it is written. */
export const exactHttpUrl: Format<string> = {
  expected: "an http or https address, such as https://ping.example.org/abc",
  parse: (written) => (parseHttpUrl(written) === undefined ? undefined : { value: written }),
};

export const traceUrl: Format<string> = {
  expected: "an http or https address that holds {traceId}, such as http://localhost:16686/trace/{traceId}",
  parse(written) {
    return written.includes("{traceId}") && parseHttpUrl(written) !== undefined ? { value: written } : undefined;
  },
};

/** An address to listen on. Strict about what is often written there by mistake: a scheme, a port, brackets. */
export const host: Format<string> = {
  expected: "an address or a host name to listen on, such as 127.0.0.1, ::1 or localhost, without scheme and port",
  parse(written) {
    const isName = /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(written);
    const isIpv6 = /^[\da-f:.]+$/i.test(written) && written.split(":").length > 2;
    return isName || isIpv6 ? { value: written } : undefined;
  },
};

export const timeZone: Format<string> = {
  expected: "an IANA time zone, such as UTC or Australia/Sydney",
  parse(written) {
    try {
      new Intl.DateTimeFormat("en", { timeZone: written });
      return { value: written };
    } catch {
      return undefined; // Intl has no other way to say that it does not know a zone.
    }
  },
};

/** Of the day's read requests: a fraction of the limit, or so many. */
export const quotaShare: Format<{ readonly fraction: number } | { readonly requests: number }> = {
  expected: "a share from 0% to 100%, such as 10%, or a number of requests from 0 to 1000000",
  parse(written) {
    const [, percent] = /^(\d+(?:\.\d+)?)\s*%$/.exec(written) ?? [];
    if (percent !== undefined)
      return Number(percent) <= 100 ? { value: { fraction: Number(percent) / 100 } } : undefined;
    const requests = /^\d+$/.test(written) ? Number(written) : Number.NaN;
    return requests <= 1_000_000 ? { value: { requests } } : undefined;
  },
};

export const cron: Format<string> = {
  expected:
    "a cron pattern of five fields, or six with the seconds first, that comes due at some time, such as 0 4 * * *",
  parse: (written) => (comesDue(written) ? { value: written } : undefined),
};

/** As `cron`; an empty text means never, and gives undefined. */
export const cronOrNever: Format<string | undefined> = {
  expected: `${cron.expected}; or nothing at all for never`,
  parse: (written) => (written === "" ? { value: undefined } : cron.parse(written)),
};

/** Any moment does: without a year in them, patterns come round again or not at all (`0 2 31 2 *`). */
const SOME_MOMENT = new Date(0);

function comesDue(pattern: string): boolean {
  // Croner would take a single date too, which fires once and never again.
  if (!pattern.startsWith("@") && ![5, 6].includes(pattern.split(/\s+/).length)) return false;
  try {
    return new Cron(pattern, { paused: true, mode: "5-or-6-parts", timezone: "UTC" }).nextRun(SOME_MOMENT) !== null;
  } catch {
    return false; // Croner throws to say that it cannot read a pattern.
  }
}

function parseHttpUrl(written: string): URL | undefined {
  const url = URL.parse(written);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") ? url : undefined;
}
