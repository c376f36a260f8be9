import { deleteAdminToken } from "../db/admin-tokens.ts";
import { inWriteTransaction } from "../db/transaction.ts";
import type { Command } from "./command.ts";
import { FailedError, UsageError } from "./failures.ts";
import { auditAtCommandLine, withTokenStore } from "./token-store.ts";

export const tokenRevoke: Command = {
  name: "token revoke",
  summary: "revokes a token by its id",
  details:
    'Revokes the token of that id (as "broomwagon token list" shows it). A running daemon refuses it from then on.',
  positionals: ["token-id"],
  takesSettings: true,
  async run(given, world) {
    const [text = ""] = given.positionals;
    if (!/^[1-9]\d*$/.test(text)) throw new UsageError([`${JSON.stringify(text)} is no token's id: it is a number.`]);
    const isRevoked = await withTokenStore(given, world, (db) =>
      inWriteTransaction(db, () => {
        if (!deleteAdminToken(db, Number(text))) return false;
        auditAtCommandLine(db, { atMs: world.clock.nowMs(), action: "token.revoked", target: `token:${text}` });
        return true;
      }),
    );
    if (!isRevoked) {
      throw new FailedError(
        `There is no token ${text}; it may have been revoked before. "broomwagon token list" shows what there is.`,
      );
    }
    world.terminal.out(`Token ${text} is revoked.`);
    return 0;
  },
};
