/** What can keep a command from starting. Stable: scripts and the documentation name them. */
export type StartErrorCode =
  | "data_dir_unwritable" // the data directory cannot be made, or nothing can be written in it
  | "second_daemon" // another live process holds the data directory
  | "port_taken" // another process has the port, or it may not be used
  | "database_missing" // a command that needs the database found none
  | "database_corrupt" // the file is damaged
  | "database_foreign" // the file is something else: no SQLite database, or not one of ours
  | "schema_too_new" // a newer program has written the database
  | "schema_changed" // a migration that was applied reads otherwise now
  | "migration_failed" // a migration did not go through; nothing of it was kept
  | "wrong_key" // what is sealed in the database was sealed with another key
  | "secret_key_too_short" // the configured key could be guessed
  | "key_file_unreadable"; // the key file is missing where it must be, cannot be read, or holds no key

/**
 * Something that keeps a command from starting and that only a person can put right. The message says what was found,
 * where, and what to do; the CLI prints it without a stack and exits with `exitCode`. No row was changed.
 */
export abstract class StartError extends Error {
  readonly exitCode: number = 1;

  constructor(
    readonly code: StartErrorCode,
    message: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
  }
}
