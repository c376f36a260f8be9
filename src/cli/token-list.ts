import { type AdminTokenRow, readAdminTokens } from "../db/admin-tokens.ts";
import type { Db } from "../db/open.ts";
import type { Command } from "./command.ts";
import { createPaint, plainText } from "./paint.ts";
import { renderTable } from "./table.ts";
import { clockTime, spellAgo } from "./time-words.ts";
import { withTokenStore } from "./token-store.ts";

const PAGE = 500;

export const tokenList: Command = {
  name: "token list",
  summary: "lists the tokens, never the secrets in them",
  details: "Lists what tokens there are: id, label, scope, when they were made, end, and were used last.",
  flags: { json: { description: "As JSON; times in milliseconds since the epoch." } },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone } = world;
    const tokens = await withTokenStore(given, world, readAll);
    if (given.switches.has("json")) {
      terminal.out(JSON.stringify({ items: tokens.map(showToken) }, null, 2));
      return 0;
    }
    if (tokens.length === 0) {
      terminal.out('There are no tokens. "broomwagon token create" makes one.');
      return 0;
    }
    const nowMs = clock.nowMs();
    const paint = createPaint(terminal.color);
    const time = (atMs: number) => clockTime(atMs, { nowMs, timeZone });
    const rows = tokens.map(({ id, label, scope, createdAtMs, expiresAtMs, lastUsedAtMs }) => [
      String(id),
      plainText(label),
      scope,
      time(createdAtMs),
      expiresAtMs === null ? "never" : expiresAtMs <= nowMs ? paint.red("expired") : time(expiresAtMs),
      spellAgo(lastUsedAtMs, nowMs),
    ]);
    terminal.out(renderTable([["ID", "LABEL", "SCOPE", "MADE", "EXPIRES", "USED"].map(paint.dim), ...rows]));
    return 0;
  },
};

function readAll(db: Db): readonly AdminTokenRow[] {
  const all: AdminTokenRow[] = [];
  for (let afterId = 0; ; ) {
    const page = readAdminTokens(db, afterId, PAGE);
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    afterId = last.id;
  }
}

function showToken({ id, label, scope, createdAtMs, expiresAtMs, lastUsedAtMs }: AdminTokenRow) {
  return { id, label, scope, created_at: createdAtMs, expires_at: expiresAtMs, last_used_at: lastUsedAtMs };
}
