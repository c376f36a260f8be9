/**
 * Writes the migration that takes the newest one to `src/db/schema*.ts`: `bun scripts/generate-migration.ts NAME`.
 * The generator knows no STRICT tables and quotes expressions in indexes as if they were columns; both are mended here.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dir, "../drizzle");
const name = process.argv[2];
if (name === undefined || !/^[a-z0-9_]+$/.test(name)) {
  process.stderr.write("Usage: bun scripts/generate-migration.ts NAME (lower case, digits, underscores)\n");
  process.exit(2);
}
const before = new Set(readdirSync(folder));
const generated = Bun.spawnSync(["bun", "--bun", "node_modules/.bin/drizzle-kit", "generate", "--name", name], {
  stdio: ["ignore", "inherit", "inherit"],
});
for (const file of readdirSync(folder).filter((file) => file.endsWith(".sql") && !before.has(file))) {
  const path = join(folder, file);
  const sql = readFileSync(path, "utf8")
    .replaceAll("\n);", "\n) STRICT;")
    .replaceAll(/`ifnull\((\w+)`,` 0\)`/g, "ifnull($1, 0)");
  writeFileSync(path, sql);
}
process.exit(generated.exitCode);
