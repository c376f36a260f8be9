import { randomBytes } from "node:crypto";
import { hashToken, makeToken } from "../api/auth.ts";
import { parseDuration } from "../core/duration.ts";
import { type EpochMs, epochMs } from "../core/units.ts";
import { insertAdminToken } from "../db/admin-tokens.ts";
import type { Scope } from "../db/schema-books.ts";
import { inWriteTransaction } from "../db/transaction.ts";
import type { GivenArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./failures.ts";
import { clockTime } from "./time-words.ts";
import { auditAtCommandLine, withTokenStore } from "./token-store.ts";

const SCOPES: readonly Scope[] = ["read", "operate", "admin"];
const LABEL_LENGTH_MAX = 100;

export const tokenCreate: Command = {
  name: "token create",
  summary: "makes a bearer token for the API, and prints it once",
  details: `Makes a token for /api/admin and prints it on standard output, alone: only its hash is stored. Works on the database
itself, so it needs no daemon and no other token; a running daemon knows the new one at once.`,
  flags: {
    scope: {
      takes: "read|operate|admin",
      description: 'What it may do; "read" unless given. Each holds those before it.',
    },
    label: { takes: "TEXT", description: "What it is for, to know it by in the list." },
    expires: {
      takes: "TIME",
      description: "When it ends: in a while (30d, 12h) or at a time (2026-12-31T00:00:00Z). Left out: never.",
    },
  },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone } = world;
    const nowMs = clock.nowMs();
    const { scope, label, expiresAtMs } = readWishes(given, nowMs);
    const token = makeToken(randomBytes);
    const { id } = await withTokenStore(given, world, (db) =>
      inWriteTransaction(db, () => {
        const made = insertAdminToken(db, { label, scope, tokenHash: hashToken(token), nowMs, expiresAtMs });
        const detail = { scope, expires_at: expiresAtMs };
        auditAtCommandLine(db, { atMs: nowMs, action: "token.made", target: `token:${made.id}`, detail });
        return made;
      }),
    );
    const until = expiresAtMs === null ? "never expires" : `expires ${clockTime(expiresAtMs, { nowMs, timeZone })}`;
    terminal.error(`Token ${id} (${label}, scope ${scope}, ${until}). It is shown only this once:`);
    terminal.out(token);
    return 0;
  },
};

/** @throws UsageError */
function readWishes(
  { values }: GivenArguments,
  nowMs: EpochMs,
): { scope: Scope; label: string; expiresAtMs: EpochMs | null } {
  const problems: string[] = [];
  const scope = SCOPES.find((known) => known === (values.scope ?? "read"));
  if (scope === undefined) problems.push(`--scope is one of ${SCOPES.join(", ")}.`);
  const label = (values.label ?? "command line").trim();
  if (label === "" || label.length > LABEL_LENGTH_MAX)
    problems.push(`--label has from 1 to ${LABEL_LENGTH_MAX} characters.`);
  const expiresAtMs = values.expires === undefined ? null : readExpiry(values.expires, nowMs);
  if (expiresAtMs === undefined) {
    problems.push("--expires is a duration such as 30d or 12h, or a time to come such as 2026-12-31T00:00:00Z.");
  }
  if (problems.length > 0 || scope === undefined || expiresAtMs === undefined) throw new UsageError(problems);
  return { scope, label, expiresAtMs };
}

function readExpiry(text: string, nowMs: EpochMs): EpochMs | undefined {
  const durationMs = parseDuration(text);
  // Without a zone a time would be another one on each machine.
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$/.test(text);
  const atMs = durationMs === undefined ? (isTime ? Date.parse(text) : Number.NaN) : nowMs + durationMs;
  return Number.isSafeInteger(atMs) && atMs > nowMs ? epochMs(atMs) : undefined;
}
