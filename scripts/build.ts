/**
 * Compiles the program to one file that needs nothing beside it: runtime, migrations and documentation page inside.
 *
 *     bun run build [--outfile dist/broomwagon] [--target bun-linux-arm64]
 */
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { outfile: { type: "string", default: "dist/broomwagon" }, target: { type: "string" } },
});
const root = join(import.meta.dir, "..");
const outfile = resolve(values.outfile);
// Built beside its place and moved there: a former one may be running, and half a program must never lie there.
const workshop = join(dirname(outfile), `.build-${process.pid}`);
const built = join(workshop, basename(outfile));
mkdirSync(workshop, { recursive: true });
try {
  const { exitCode } = Bun.spawnSync([process.execPath, "build", ...flags(built), "src/main.ts"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (exitCode !== 0) process.exit(exitCode ?? 1);
  renameSync(built, outfile);
} finally {
  // With it goes a source map of its own, which the compiler writes although the program holds one.
  rmSync(workshop, { recursive: true, force: true });
}
const { size } = statSync(outfile);
process.stdout.write(`${relative(process.cwd(), outfile)}: ${(size / 1e6).toFixed(1)} MB (${size} bytes)\n`);

function flags(outfile: string): string[] {
  return [
    "--compile",
    `--outfile=${outfile}`,
    // Not identifiers: Elysia reads the source of the handlers to know what they use.
    "--minify-whitespace",
    "--minify-syntax",
    // Halves the time to the first answer.
    "--bytecode",
    "--format=esm",
    "--sourcemap=inline",
    // Configuration has its own order of sources; a .env or bunfig.toml of the working directory is none of them.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--asset=./drizzle",
    ...(values.target === undefined ? [] : [`--target=${values.target}`]),
  ];
}
