import { parseDuration } from "../core/duration.ts";
import { type Incident, readIncident } from "../core/incident.ts";
import {
  CHECKS_MAX,
  countChecks,
  optionsOf,
  type Replay,
  type ReplayOptions,
  replayIncident,
} from "../core/replay-incident.ts";
import type { HealingMode } from "../core/status.ts";
import type { GivenArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { FailedError, UsageError } from "./failures.ts";
import { writeNewFile } from "./new-file.ts";
import { createPaint } from "./paint.ts";
import { renderReplay } from "./replay-lines.ts";
import { writeReplayTest } from "./replay-test.ts";
import type { World } from "./world.ts";

const MODES = ["automatic", "suggest"] as const satisfies readonly HealingMode[];

export const incidentReplay: Command = {
  name: "incident replay",
  summary: "runs the diagnosis over an incident file, check by check",
  details: `Runs the diagnosis over what an incident file tells, check by check, and says what each would have found, by which evidence, and
what it would have done: with the thresholds of the file, or with others. Needs no daemon, and gives the same for the same
file. With --test it also writes what was found as a regression test, to be run by "bun test" in a checkout of Broomwagon.`,
  positionals: ["FILE"],
  flags: {
    "stall-after-discovery": {
      takes: "DURATION",
      description: "No progress for so long is a stall, in discovery (10m).",
    },
    "stall-after-enrichment": { takes: "DURATION", description: "The same, in enrichment." },
    healing: { takes: "MODE", description: "automatic or suggest." },
    every: { takes: "DURATION", description: "From one check to the next (1m)." },
    json: { description: "What was found, as JSON." },
    test: { takes: "FILE.test.ts", description: "Writes it as a regression test." },
    force: { description: "Writes the test over one that is there." },
  },
  takesSettings: false,
  async run(given, world) {
    const { terminal } = world;
    const [path = ""] = given.positionals;
    const incident = openIncident(path, world);
    const options = readOptions(given, optionsOf(incident));
    if (countChecks(incident, options.everyMs) > CHECKS_MAX)
      throw new UsageError([`That would be more than ${CHECKS_MAX} checks: say a longer --every.`]);
    const replay = replayIncident(incident, options);
    const testPath = given.values.test;
    if (testPath !== undefined) {
      const test = writeReplayTest(replay, { test: testPath, incident: path }, world.readFile);
      writeNewFile(testPath, test, { replace: given.switches.has("force") });
    }
    if (given.switches.has("json")) terminal.out(JSON.stringify(showReplay(incident, replay), null, 2));
    else terminal.out(renderReplay(incident, replay, createPaint(terminal.color)));
    if (testPath !== undefined) terminal.error(`Wrote ${testPath}.`);
    return 0;
  },
};

/** @throws FailedError that tells every problem of the file. */
function openIncident(path: string, { readFile }: Pick<World, "readFile">): Incident {
  const text = readWhole(path, readFile);
  if (text === undefined) throw new FailedError(`There is no file ${path}.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedError(`${path} is not JSON: ${reason}.`, { cause: error });
  }
  const read = readIncident(value);
  if (read.ok) return read.incident;
  const lines = read.problems.map((problem) => `  ${problem}`);
  throw new FailedError([`${path} cannot be replayed:`, ...lines].join("\n"));
}

function readWhole(path: string, readFile: World["readFile"]): string | undefined {
  try {
    return readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedError(`${path} cannot be read: ${reason}.`, { cause: error });
  }
}

/** @throws UsageError that tells every problem of the flags. */
function readOptions({ values }: GivenArguments, kept: ReplayOptions): ReplayOptions {
  const problems: string[] = [];
  const duration = (flag: string, otherwise: number): number => {
    const text = values[flag];
    if (text === undefined) return otherwise;
    const durationMs = parseDuration(text);
    if (durationMs !== undefined && durationMs > 0) return durationMs;
    problems.push(`--${flag} takes a duration such as 90s or 10m, and was given ${JSON.stringify(text)}.`);
    return otherwise;
  };
  const mode = values.healing ?? kept.healing;
  const healing = MODES.find((known) => known === mode);
  if (healing === undefined) problems.push(`--healing is automatic or suggest, and was given ${JSON.stringify(mode)}.`);
  const options: ReplayOptions = {
    rules: {
      stallAfterDiscoveryMs: duration("stall-after-discovery", kept.rules.stallAfterDiscoveryMs),
      stallAfterEnrichmentMs: duration("stall-after-enrichment", kept.rules.stallAfterEnrichmentMs),
    },
    healing: healing ?? kept.healing,
    everyMs: duration("every", kept.everyMs),
  };
  if (problems.length > 0) throw new UsageError(problems);
  return options;
}

/** As everywhere in JSON: snake_case, times in milliseconds since the epoch, UTC. */
function showReplay(incident: Incident, { fromMs, untilMs, checks, options, troubles }: Replay) {
  return {
    sync_id: incident.sync.id,
    from: fromMs,
    until: untilMs,
    checks,
    stall_after_discovery_ms: options.rules.stallAfterDiscoveryMs,
    stall_after_enrichment_ms: options.rules.stallAfterEnrichmentMs,
    healing: options.healing,
    every_ms: options.everyMs,
    findings: troubles.map((trouble) => ({
      kind: trouble.kind,
      batch_id: trouble.batchId,
      began_at: trouble.beganAtMs,
      found_at: trouble.foundAtMs,
      time_to_detect_ms: trouble.foundAtMs - trouble.beganAtMs,
      last_found_at: trouble.lastFoundAtMs,
      gone_at: trouble.goneAtMs ?? null,
      checks: trouble.checks,
      message: trouble.message,
      evidence: { ...trouble.evidence, why_not_waiting: trouble.whyNotWaiting },
      would: trouble.would,
      remedy: trouble.remedy,
    })),
    found_then: incident.findings.map(({ kind, batch_id: batchId, detected_at: at, outcome }) => {
      return { kind, batch_id: batchId, detected_at: at, outcome };
    }),
    gaps: incident.gaps,
  };
}
