import { describe, expect, test } from "bun:test";
import { createLog, type Log, type LogLevel } from "../../src/telemetry/log.ts";
import { FakeClock } from "../support/fake-clock.ts";

const START_MS = Date.UTC(2025, 10, 17, 2, 0, 0, 123);

function collectingLog(options: { level?: LogLevel; format?: "json" | "pretty"; color?: boolean } = {}) {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    clock: new FakeClock(START_MS),
    level: "debug",
    format: "json",
    ...options,
  });
  return { log, lines, objects: () => lines.map((line): Record<string, unknown> => JSON.parse(line)) };
}

describe("a JSON line", () => {
  test("is one object: time, level, event and message first, then the ids, then the rest", () => {
    const { log, lines } = collectingLog();
    log.info("batch.completed", "Batch 7 completed", { races: 15, batch_id: 7, sync_id: 3, trace_id: "ab" });
    expect(lines).toEqual([
      '{"time":"2025-11-17T02:00:00.123Z","level":"info","event":"batch.completed","message":"Batch 7 completed",' +
        '"trace_id":"ab","sync_id":3,"batch_id":7,"races":15}',
    ]);
  });

  test("stays one line whatever the message holds", () => {
    const { log, lines, objects } = collectingLog();
    log.warn("odd", 'two\nlines\u2028and "quotes"', { detail: "a\r\nb" });
    expect(lines[0]).not.toContain("\n");
    expect(objects()).toMatchObject([{ message: 'two\nlines\u2028and "quotes"', detail: "a\r\nb" }]);
  });

  test("leaves out what is undefined, and keeps null, false, 0 and numbers that JSON does not know", () => {
    const { log, objects } = collectingLog();
    log.info("e", "m", { gone: undefined, none: null, no: false, zero: 0, ratio: Number.NaN });
    const [line = {}] = objects();
    expect(Object.keys(line)).toEqual(["time", "level", "event", "message", "none", "no", "zero", "ratio"]);
    expect(line).toMatchObject({ none: null, no: false, zero: 0, ratio: "NaN" });
  });

  test("keeps its own time, level, event and message, whatever the fields are called", () => {
    const { log, objects } = collectingLog();
    log.info("real", "real", { time: "fake", level: "fake", event: "fake", message: "fake" });
    expect(objects()).toMatchObject([{ level: "info", event: "real", message: "real", field_level: "fake" }]);
  });
});

describe("levels", () => {
  const everyLevel = (log: Log) => {
    for (const level of ["debug", "info", "warn", "error"] as const) log[level]("e", level);
  };
  test.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
  ] as const)("at %s, what is below is dropped", (level, expected) => {
    const { log, objects } = collectingLog({ level });
    everyLevel(log);
    expect(objects().map((line) => line.level)).toEqual([...expected]);
  });
});

test("a log bound to fields puts them on each line; the line's own win; the log it came from is unchanged", () => {
  const { log, objects } = collectingLog();
  const bound = log.with({ sync_id: 3, phase: "discovery" }).with({ batch_id: 7 });
  bound.info("e", "m", { phase: "enrichment" });
  log.info("e", "m");
  const [first, second] = objects();
  expect(first).toMatchObject({ sync_id: 3, batch_id: 7, phase: "enrichment" });
  expect(second).not.toHaveProperty("sync_id");
});

describe("I10: no credential or personal field is written", () => {
  test.each([
    "access_token",
    "refreshToken",
    "client_secret",
    "Authorization",
    "set-cookie",
    "password",
    "first_name",
    "lastName",
    "email",
    "apiKey",
  ])("a field called %s is redacted", (key) => {
    for (const format of ["json", "pretty"] as const) {
      const { log, lines } = collectingLog({ format });
      log.info("e", "m", { [key]: "hush-hush" });
      log.with({ [key]: "hush-hush" }).info("e", "m");
      expect(lines).toHaveLength(2);
      for (const line of lines) {
        expect(line).toContain("[redacted]");
        expect(line).not.toContain("hush");
      }
    }
  });

  test.each([
    ["sent Authorization: Bearer abc.DEF-123_456", "sent Authorization: Bearer [redacted]"],
    ["bearer abcd1234, refused", "bearer [redacted], refused"],
    ["Basic dXNlcjpwYXNz refused", "Basic [redacted] refused"],
    ["POST /token?grant_type=x&refresh_token=abc123&y=1", "POST /token?grant_type=x&refresh_token=[redacted]&y=1"],
    ['body {"access_token": "abc123", "n": 1}', 'body {"access_token": "[redacted]", "n": 1}'],
    ['body {"first_name":"Jo Ann","n":1}', 'body {"first_name":"[redacted]","n":1}'],
    ["password: correct-horse-7, token: short", "password: [redacted], token: short"],
    ["back at /auth/strava/callback?state=s&code=abc123", "back at /auth/strava/callback?state=s&code=[redacted]"],
    [
      "POST https://club.example/webhooks/strava/AbC-123_x failed",
      "POST https://club.example/webhooks/strava/[redacted] failed",
    ],
    ["signed with whsec_MfKQ9r8GKYqrTwjU", "signed with whsec_[redacted]"],
    ["POST https://hooks.slack.com/services/T0/B0/x7 failed", "POST https://hooks.slack.com/[redacted] failed"],
    ["POST https://discord.com/api/webhooks/1/x failed", "POST https://discord.com/api/webhooks/[redacted] failed"],
    ["GET https://user:hush@host/path", "GET https://[redacted]@host/path"],
    [`refused ${"0123456789abcdef0123".repeat(2)}.`, "refused [redacted]."],
    ["mail to jo.ann+club@mail.example.org bounced", "mail to [redacted] bounced"],
  ])("%p is written as %p", (message, expected) => {
    const { log, objects } = collectingLog();
    log.error("e", message, { error: message });
    expect(objects()).toMatchObject([{ message: expected, error: expected }]);
  });

  test.each([
    `trace ${"0123456789abcdef".repeat(2)}`,
    `sum ${"0123456789abcdef".repeat(4)}`,
    "Strava refused the refresh token of athlete 7; connect again at /auth/strava",
    "exit code=1 of batch 3 at http://127.0.0.1:8720/livez",
    "Cannot refresh the token: Strava answered 503; the basic plan has no secret: none",
  ])("%p passes as it is", (message) => {
    const { log, objects } = collectingLog();
    log.info("e", message, { has_token: true, token: null });
    expect(objects()).toMatchObject([{ message, has_token: true, token: null }]);
  });
});

describe("a pretty line", () => {
  test("reads as time, level, sentence, event and fields, without colour", () => {
    const { log, lines } = collectingLog({ format: "pretty" });
    log.info("sync.started", "Sync 3 started", { sync_id: 3, mode: "full", note: "two words", empty: "" });
    expect(lines).toEqual([
      '2025-11-17 02:00:00.123Z INFO  Sync 3 started [sync.started] sync_id=3 mode=full note="two words" empty=""',
    ]);
  });

  test("is coloured only when asked, and is otherwise the same text", () => {
    const plain = collectingLog({ format: "pretty" });
    const colored = collectingLog({ format: "pretty", color: true });
    for (const { log } of [plain, colored]) log.error("e", "m", { a: 1 });
    expect(plain.lines[0]).not.toContain("\u001b");
    expect(colored.lines[0]).toContain("\u001b[31mERROR\u001b[0m");
    expect(Bun.stripANSI(colored.lines[0] ?? "")).toBe(plain.lines[0] ?? "");
  });

  test("keeps text from outside from breaking the line or driving the terminal", () => {
    const { log, lines } = collectingLog({ format: "pretty" });
    log.warn("e", "one\ntwo \u001b[2J\u007f", { detail: "x\u001b]0;title\u0007", key: "a\nb" });
    expect(lines[0]).not.toMatch(/\p{Cc}/u);
    expect(lines[0]).toContain("one\\ntwo \\u001b[2J");
  });
});

test("a log whose pipe is closed throws nothing", () => {
  const log = createLog({
    write: () => {
      throw new Error("EPIPE");
    },
    clock: new FakeClock(START_MS),
    level: "debug",
    format: "json",
  });
  expect(() => log.error("e", "m", { a: 1 })).not.toThrow();
});
