import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What decides how a seed runs, and what is seen of it. One at a time: Bun finds nothing by braces that hold a slash. */
const PATTERNS = ["src/**/*.ts", "drizzle/*.sql", "bun.lock"];

/**
 * The sources of a checkout in a word of 16 hex digits: another one for any other source.
 * @throws Error where a part of them is not there at all.
 */
export function fingerprintSources(top: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const pattern of PATTERNS) {
    const paths = [...new Bun.Glob(pattern).scanSync({ cwd: top })].sort();
    if (paths.length === 0) throw new Error(`There is no ${pattern} in ${top}: it is no checkout of Broomwagon`);
    for (const path of paths) hash.update(`${path}\0${readFileSync(join(top, path), "utf8")}\0`);
  }
  return hash.digest("hex").slice(0, 16);
}
