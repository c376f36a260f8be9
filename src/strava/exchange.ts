import type { Fault } from "../core/fault.ts";
import { type Clock, type EpochMs, epochMs, type Fetch } from "../core/units.ts";
import { type BodyText, readBody } from "./body.ts";
import { type Asked, classifyByStatus, classifyGarbage, classifyRefusal } from "./faults.ts";
import { parseRateHeaders } from "./rate-headers.ts";
import type { Parsed } from "./raw-json.ts";
import type { Reply, ReplyHead } from "./reply.ts";

/** The world that a request goes out into, and how long it may take. */
export type Line = { readonly fetch: Fetch; readonly clock: Clock; readonly timeoutMs: number };

/** One request, and how its answer is read. */
export type Question<Value> = {
  readonly asked: Asked;
  readonly url: string;
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as a form. */
  readonly body?: URLSearchParams;
  /** A 2xx with more than this is garbage. */
  readonly maxBytes: number;
  /** Reads the text of a 2xx. */
  readonly read: (text: string) => Parsed<Value>;
};

/**
 * Sends one request and reads its whole answer, both within the time limit. Never throws for anything that Strava, the
 * network or the caller does: a signal that was aborted, before or meanwhile, gives the fault `aborted`.
 *
 * Time limit and signal hold even where `fetch` heeds no signal. What was learned before the end (status, rate
 * headers) is in the reply all the same.
 */
export async function ask<Value>(line: Line, question: Question<Value>, signal: AbortSignal): Promise<Reply<Value>> {
  const { clock, timeoutMs } = line;
  const sentMs = clock.nowMs();
  if (signal.aborted) return { ...NO_ANSWER, durationMs: 0, ok: false, fault: ABORTED_BEFORE };

  const controller = new AbortController();
  const request = buildRequest(question, controller.signal);
  if (request === undefined) return { ...NO_ANSWER, durationMs: 0, ok: false, fault: UNSENDABLE };

  const heard: Heard = { ...NO_ANSWER };
  const { promise: stopped, resolve: stop } = Promise.withResolvers<Outcome<never>>();
  const onTimeout = () => {
    stop(refused(classifyByHead(question.asked, heard) ?? timedOut(timeoutMs, heard.status)));
    controller.abort();
  };
  const onAbort = () => {
    stop(refused(ABORTED_MEANWHILE));
    controller.abort();
  };
  const cancelTimer = clock.after(timeoutMs, onTimeout);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const outcome = await Promise.race([exchange(line, request, question, heard), stopped]);
    const endedMs = clock.nowMs();
    const bodyMs = Math.max(0, endedMs - (heard.atMs ?? endedMs));
    const { rate, dateMs, status } = heard;
    return { rate, dateMs, status, bodyMs, durationMs: Math.max(0, endedMs - sentMs), ...outcome };
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", onAbort);
  }
}

type Outcome<Value> = { ok: true; value: Value } | { ok: false; fault: Fault };
type Heard = { -readonly [Field in Exclude<keyof ReplyHead, "durationMs" | "bodyMs">]: ReplyHead[Field] } & {
  /** When the headers were there. */
  atMs?: EpochMs;
};

const NO_ANSWER: Heard = { rate: undefined, dateMs: undefined, status: undefined };

/** How much of a refusal is read: its words are at the beginning, and a gateway's page may be long. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** The exchange itself. Fills `heard` as soon as the headers are there; settles with a value whatever the network does. */
async function exchange<Value>(
  { fetch, clock }: Pick<Line, "fetch" | "clock">,
  request: Request,
  question: Question<Value>,
  heard: Heard,
): Promise<Outcome<Value>> {
  let response: Response;
  let body: BodyText;
  try {
    response = await fetch(request);
    if (request.signal.aborted) {
      // It came too late: nobody waits for it, but its connection must not stay open.
      response.body?.cancel().catch(() => undefined);
      return refused(ABORTED_MEANWHILE);
    }
    heard.atMs = clock.nowMs();
    heard.status = response.status;
    heard.rate = parseRateHeaders(response.headers);
    heard.dateMs = parseDate(response.headers.get("date"));
    body = await readBody(response, response.ok ? question.maxBytes : MAX_REFUSAL_BYTES);
  } catch {
    // The error is not passed on: those of `fetch` quote the address, and with it ids and hosts.
    return refused(classifyByHead(question.asked, heard) ?? brokenOff(heard.status));
  }
  if (response.ok) return understand(question, response.status, body);
  return refused(classifyRefusal(question.asked, response.status, body.text));
}

/** Undefined when the token cannot stand in a header: URLs are checked before, and forms can hold anything. */
function buildRequest<Value>(question: Question<Value>, signal: AbortSignal): Request | undefined {
  try {
    return new Request(question.url, {
      method: question.method,
      headers: question.headers,
      ...(question.body === undefined ? {} : { body: question.body }),
      // A redirect could carry the token to another host.
      redirect: "manual",
      signal,
    });
  } catch {
    // The error would quote the token.
    return undefined;
  }
}

function understand<Value>(question: Question<Value>, status: number, body: BodyText): Outcome<Value> {
  if (!body.isWhole) return refused(classifyGarbage(status, "", `more than ${question.maxBytes} bytes`));
  const parsed = question.read(body.text);
  return parsed.ok ? parsed : refused(classifyGarbage(status, body.text, parsed.reason));
}

const refused = (fault: Fault): Outcome<never> => ({ ok: false, fault });

const classifyByHead = (asked: Asked, heard: Heard): Fault | undefined =>
  heard.status === undefined ? undefined : classifyByStatus(asked, heard.status);

function parseDate(header: string | null): EpochMs | undefined {
  const timeMs = header === null ? Number.NaN : Date.parse(header);
  return Number.isNaN(timeMs) ? undefined : epochMs(timeMs);
}

const UNSENDABLE: Fault = {
  scope: "athlete",
  kind: "unauthorized",
  message: "The stored access token holds characters that no token has: nothing was sent",
};
const ABORTED_BEFORE: Fault = { scope: "caller", kind: "aborted", message: "Called off before it was sent" };
const ABORTED_MEANWHILE: Fault = { scope: "caller", kind: "aborted", message: "Called off while it was under way" };

const timedOut = (timeoutMs: number, status: number | undefined): Fault => ({
  scope: "item",
  kind: "timeout",
  status,
  message: `Strava did not answer in full within ${timeoutMs} ms`,
});

const brokenOff = (status: number | undefined): Fault => ({
  scope: "item",
  kind: "network",
  status,
  message: status === undefined ? "Strava could not be reached" : `The connection broke off in the answer (${status})`,
});
