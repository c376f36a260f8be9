/** The program: hands the machine to the command that was asked for, and its exit code back. */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { dispatch } from "./cli/dispatch.ts";
import type { Terminal, World } from "./cli/world.ts";
import { systemClock, systemDice } from "./clock.ts";

const COLUMNS_DEFAULT = 100;
/** A reader that has stopped reading must not keep a program alive that was asked to end. */
const DRAIN_LIMIT_MS = 1_000;
/** npx passes on a Ctrl-C that the terminal has sent to its children too: two signals a millisecond apart are one. */
const ECHO_MS = 50;
/** 128 and the number of the signal, as shells count. */
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

// A pipe whose reader is gone takes nothing any more. What is written there is lost, and the work goes on.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

const out = createWriter(process.stdout);
const error = createWriter(process.stderr);
const interruption = once(listenForSignals);

let exitCode: number;
try {
  exitCode = await dispatch(process.argv.slice(2), createWorld());
} catch (cause) {
  error.write(`This is a bug of Broomwagon; please report it.\n${Bun.inspect(cause)}`);
  exitCode = 1;
}
await Promise.all([out.drained(), error.drained()]);
process.exit(exitCode);

function createWorld(): World {
  return {
    terminal: createTerminal(),
    env: process.env,
    readFile,
    clock: systemClock,
    dice: systemDice,
    fetch: (request) => fetch(request),
    version: packageJson.version,
    program: programName(),
    tempDirectory: tmpdir(),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    interruption: interruption.get,
  };
}

function createTerminal(): Terminal {
  const { NO_COLOR: noColor, TERM: term } = process.env;
  const isTerminal = process.stdout.isTTY === true;
  return {
    out: out.write,
    error: error.write,
    isTerminal,
    get columns() {
      // Some terminals do not know their width, and say 0.
      return process.stdout.columns || COLUMNS_DEFAULT;
    },
    // https://no-color.org
    color: isTerminal && (noColor === undefined || noColor === "") && term !== "dumb",
  };
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The compiled program goes by its own name; from a checkout it is the runtime with this file. */
function programName(): string {
  const isCompiled = import.meta.path.startsWith("/$bunfs/") || import.meta.path.includes("~BUN");
  if (isCompiled) return basename(process.execPath);
  // Started through npx, there may be no bun that another terminal finds.
  const isThroughNpx = process.env.npm_config_user_agent?.startsWith("npm/") === true;
  return isThroughNpx ? `npx --yes bun@${Bun.version} src/main.ts` : "bun src/main.ts";
}

/** The first signal asks for an end; a second one is an end. */
function listenForSignals(): AbortSignal {
  const asked = new AbortController();
  let askedAtMs = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (!asked.signal.aborted) {
        askedAtMs = systemClock.nowMs();
        asked.abort();
      } else if (systemClock.nowMs() - askedAtMs > ECHO_MS) process.exit(EXIT_OF_SIGNAL[signal]);
    });
  }
  return asked.signal;
}

type Writer = {
  /** Writes a line. */
  write(text: string): void;
  /** When its reader has all lines. Not waited for long once a signal has asked for an end. */
  drained(): Promise<void>;
};

/** Bun drops what a slow pipe has not taken yet when the process exits, so every line is followed to its end. */
function createWriter(stream: NodeJS.WriteStream): Writer {
  let unread = 0;
  let whenRead = () => {};
  return {
    write(text) {
      unread++;
      // Called with an error too, when the reader is gone.
      stream.write(`${text}\n`, () => {
        unread--;
        if (unread === 0) whenRead();
      });
    },
    drained: () =>
      new Promise((resolve) => {
        if (unread === 0) return resolve();
        whenRead = resolve;
        if (interruption.made()?.aborted === true) systemClock.after(DRAIN_LIMIT_MS, resolve);
      }),
  };
}

function once<T>(make: () => T): { get(): T; made(): T | undefined } {
  let value: T | undefined;
  return {
    get() {
      value ??= make();
      return value;
    },
    made: () => value,
  };
}
