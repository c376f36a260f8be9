import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Replay, ReplayedTrouble } from "../core/replay-incident.ts";
import { FailedError } from "./failures.ts";
import type { World } from "./world.ts";

/** Tells a checkout: what the test imports. */
const READ = "src/core/incident.ts";
const REPLAY = "src/core/replay-incident.ts";

/**
 * The text of a regression test that replays an incident file and holds what the replay found: kind, batch, time, remedy.
 * @param paths.test where the test will stand, in a checkout of Broomwagon; `paths.incident` is named relative to it.
 * @throws FailedError when that is in no checkout.
 */
export function writeReplayTest(
  replay: Replay,
  paths: { readonly test: string; readonly incident: string },
  readFile: World["readFile"],
): string {
  const folder = dirname(resolve(paths.test));
  const top = findCheckout(folder, readFile);
  const to = (path: string) => JSON.stringify(asImport(relative(folder, path)));
  const { rules, healing, everyMs } = replay.options;
  return `import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readIncident } from ${to(join(top, READ))};
import { replayIncident } from ${to(join(top, REPLAY))};

const FILE = join(import.meta.dir, ${JSON.stringify(asImport(relative(folder, resolve(paths.incident))).replace(/^\.\//, ""))});

test(${JSON.stringify(`incident ${basename(paths.incident, ".json")}: the replay finds what it found when this test was written`)}, () => {
  const read = readIncident(JSON.parse(readFileSync(FILE, "utf8")));
  if (!read.ok) throw new Error(read.problems.join("\\n"));
  const { troubles } = replayIncident(read.incident, {
    rules: { stallAfterDiscoveryMs: ${digits(rules.stallAfterDiscoveryMs)}, stallAfterEnrichmentMs: ${digits(rules.stallAfterEnrichmentMs)} },
    healing: ${JSON.stringify(healing)},
    everyMs: ${digits(everyMs)},
  });
  const found = troubles.map(({ kind, batchId, foundAtMs, would, remedy }) => {
    return { kind, batchId, foundAt: new Date(foundAtMs).toISOString(), would, remedy };
  });
  expect(found).toEqual(${renderTroubles(replay.troubles)});
});
`;
}

function findCheckout(folder: string, readFile: World["readFile"]): string {
  for (let top = folder; ; top = dirname(top)) {
    if (readFile(join(top, READ)) !== undefined && readFile(join(top, REPLAY)) !== undefined) return top;
    if (dirname(top) === top) break;
  }
  throw new FailedError(
    `${folder} is in no checkout of Broomwagon, whose diagnosis the test would run. Name a file below one, in test/incidents.`,
  );
}

/** As import specifiers are written: with slashes, and never bare. */
function asImport(path: string): string {
  const slashed = path.split(sep).join("/");
  return slashed.startsWith(".") ? slashed : `./${slashed}`;
}

function renderTroubles(troubles: readonly ReplayedTrouble[]): string {
  if (troubles.length === 0) return "[]";
  const items = troubles.map(({ kind, batchId, foundAtMs, would, remedy }) =>
    [
      "    {",
      `      kind: ${JSON.stringify(kind)},`,
      `      batchId: ${batchId},`,
      `      foundAt: ${JSON.stringify(new Date(foundAtMs).toISOString())},`,
      `      would: ${JSON.stringify(would)},`,
      `      remedy: ${JSON.stringify(remedy)},`,
      "    },",
    ].join("\n"),
  );
  return ["[", ...items, "  ]"].join("\n");
}

/** `600_000`. */
const digits = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, "_");
