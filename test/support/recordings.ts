import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * The folder of real recordings, where there is one: they hold a person's data, so they lie in a folder beside the
 * project and never in it. Tests that need them are skipped without, and say so.
 */
export function findRecordings(parent = join(import.meta.dir, "../../..")): string | undefined {
  return readdirSync(parent)
    .map((sibling) => join(parent, sibling, "recordings/strava"))
    .find((candidate) => existsSync(join(candidate, "activity-pages-of-72.json")));
}
