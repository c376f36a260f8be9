import { type ConfigProblem, describeProblem } from "../config-problem.ts";
import type { ExitCode } from "./world.ts";

/** Ends a command with a message for people and an exit code; no stack is shown. */
export abstract class CommandFailure extends Error {
  abstract readonly exitCode: ExitCode;
}

/** The command line itself is wrong. Each problem is a sentence. */
export class UsageError extends CommandFailure {
  override readonly name = "UsageError";
  override readonly exitCode = 2;
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/** What was asked for could not be done. The message says what to do about it. */
export class FailedError extends CommandFailure {
  override readonly name = "FailedError";
  override readonly exitCode = 1;
}

/** The configuration is wrong: every problem at once, so that they can be mended at once. */
export class BadConfigurationError extends CommandFailure {
  override readonly name = "BadConfigurationError";
  override readonly exitCode: ExitCode;
  constructor(readonly problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
    super(
      [`The configuration has ${count}:`, ...problems.map((problem) => `  ${describeProblem(problem)}`)].join("\n"),
    );
    // An unknown flag is wrong usage: whoever typed it looks at the command line, not at the configuration.
    this.exitCode = problems.every(({ kind }) => kind === "unknown_flag") ? 2 : 78;
  }
}
