/** Something wrong with the configuration, told so that it can be mended without looking anything up. */
export type ConfigProblem = {
  /**
   * - `unknown_flag`: wrong usage, exit code 2. All others are bad configuration, exit code 78.
   * - `unknown_key`: a key in the file that nothing reads.
   * - `invalid`: a value that is not what was expected.
   * - `conflict`: two settings that cannot both be given.
   * - `missing`: a setting without which another one is of no use.
   * - `unreadable_file`: the file of the configuration or of a secret is missing, cannot be read, or is torn.
   */
  readonly kind: "unknown_flag" | "unknown_key" | "invalid" | "conflict" | "missing" | "unreadable_file";
  /** `BROOMWAGON_PORT`; or what was not recognised, as it was written (`--prot`, `prot`). */
  readonly key: string;
  /** As it was written; masked when it is a secret; empty when nothing was. */
  readonly value: string;
  /** Completes "expected …". */
  readonly expected: string;
  /** `environment variable BROOMWAGON_PORT`, `flag --port`, `port in data/broomwagon.toml`. */
  readonly origin: string;
  /** The likely cure, in a sentence. */
  readonly hint?: string;
};

/** Stands for a secret wherever a value is shown. Always as long, so that it does not tell how long the secret is. */
export const MASK = "********";

/** The problem in one line for people. */
export function describeProblem({ key, value, expected, origin, hint }: ConfigProblem): string {
  const given = value === "" ? key : `${key} = ${value}`;
  return `${given} (${origin}): expected ${expected}${hint === undefined ? "" : `. ${hint}`}`;
}
