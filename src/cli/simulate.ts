import { DAY_MS } from "../core/units.ts";
import { drawPlan } from "../simulation/draw-plan.ts";
import type { Plan } from "../simulation/plan.ts";
import { readPlan } from "../simulation/read-plan.ts";
import type { Ran } from "../simulation/run-plan.ts";
import { runSettled } from "../simulation/run-settled.ts";
import { type Shrunk, shrink } from "../simulation/shrink.ts";
import { addRun, createTally, renderTally } from "../simulation/tally.ts";
import type { GivenArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { FailedError, UsageError } from "./failures.ts";
import { writeNewFile } from "./new-file.ts";
import type { ExitCode, World } from "./world.ts";

const SEEDS_DEFAULT = 10;
const SEEDS_MAX = 1_000_000;
const SEED_MAX = 2 ** 32 - 1;
const WEEKS_MAX = 52;

export const simulate: Command = {
  name: "simulate",
  summary: "plays clubs' weeks under faults, far faster than life, and holds them to the invariants",
  details: `Makes a club of each seed, with its settings, habits and faults (crashes at any commit, a failing database, Strava's faults,
wrong clocks, a hand in the rows, and more), runs the whole daemon through its weeks on a clock of its own, and checks that
nothing was lost, doubled, silent or stuck (I1 to I12 in ARCHITECTURE.md). No network and no file is used. The same seed gives
the same bytes on standard output; how long it really took is told on standard error. A seed that breaks is cut down to the few
happenings that break it, unless --no-shrink is given; with --test that plan is written, to be kept as a regression test
(test/simulation/plans). Exits with 1 when something broke.`,
  flags: {
    seeds: { takes: "N", description: `How many seeds (${SEEDS_DEFAULT}).` },
    from: { takes: "S", description: "The first seed (1)." },
    weeks: { takes: "W", description: "How many weeks each (1)." },
    replay: { takes: "SEED", description: "Runs this seed alone, and prints its diary, line by line." },
    plan: { takes: "FILE", description: "Runs a plan from a file, as --test writes it, and prints its diary." },
    "until-broken": { description: "Ends with the first seed that breaks." },
    test: { takes: "FILE.json", description: "Writes the plan of the first seed that breaks, cut down." },
    force: { description: "Writes it over one that is there." },
    "no-shrink": { description: "Leaves broken plans as they are." },
    json: { description: "Everything as JSON." },
  },
  takesSettings: false,
  async run(given, world) {
    const wanted = readWanted(given);
    if (wanted.planFile !== undefined) return replay(openPlan(wanted.planFile, world), given, world);
    if (wanted.replay !== undefined) return replay(drawPlan(wanted.replay, wanted.weeks), given, world);
    return runSeeds(wanted, given, world);
  },
};

type Wanted = {
  readonly seeds: number;
  readonly from: number;
  readonly weeks: number;
  readonly replay: number | undefined;
  readonly planFile: string | undefined;
};

/** @throws UsageError that tells every problem of the flags. */
function readWanted({ values }: GivenArguments): Wanted {
  const problems: string[] = [];
  const whole = (flag: string, least: number, most: number, otherwise: number): number => {
    const text = values[flag];
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    problems.push(`--${flag} takes a whole number from ${least} to ${most}, and was given ${JSON.stringify(text)}.`);
    return otherwise;
  };
  const wanted: Wanted = {
    seeds: whole("seeds", 1, SEEDS_MAX, SEEDS_DEFAULT),
    from: whole("from", 0, SEED_MAX, 1),
    weeks: whole("weeks", 1, WEEKS_MAX, 1),
    replay: values.replay === undefined ? undefined : whole("replay", 0, SEED_MAX, 0),
    planFile: values.plan,
  };
  if (wanted.from + wanted.seeds - 1 > SEED_MAX) problems.push(`There are no seeds beyond ${SEED_MAX}.`);
  if (problems.length > 0) throw new UsageError(problems);
  return wanted;
}

async function runSeeds({ seeds, from, weeks }: Wanted, given: GivenArguments, world: World): Promise<ExitCode> {
  const { terminal } = world;
  const asJson = given.switches.has("json");
  const interruption = world.interruption();
  const tally = createTally();
  const shown: object[] = [];
  const startedMs = world.clock.nowMs();
  const turn = () => nextTurn(world);
  for (let seed = from; seed < from + seeds && !interruption.aborted; seed++) {
    const plan = drawPlan(seed, weeks);
    // A signal, too, is heard between two seeds.
    const ran = await runSettled(plan, turn);
    addRun(tally, ran);
    const isWhole = ran.breach === undefined || given.switches.has("no-shrink");
    const run = async (tried: Plan) => (await runSettled(tried, turn)).breach;
    const shrunk = isWhole ? undefined : await shrink(plan, ran.breach, run);
    if (ran.breach !== undefined && tally.broken === 1) keep(shrunk?.plan ?? plan, given, world);
    if (asJson) shown.push(showRun(seed, ran, shrunk));
    else terminal.out(renderRun(seed, ran, shrunk));
    if (tally.broken > 0 && given.switches.has("until-broken")) break;
  }
  if (asJson) terminal.out(JSON.stringify({ from, weeks, ...tally, runs: shown }, null, 2));
  else terminal.out(renderTally(tally));
  const realMs = world.clock.nowMs() - startedMs;
  terminal.error(
    `It took ${(realMs / 1_000).toFixed(1)} s: ${Math.round(tally.simulatedMs / Math.max(1, realMs))} times as fast as life.`,
  );
  return tally.broken === 0 ? 0 : 1;
}

/** A turn of the machine's own event loop, in which signals and rejections are heard. */
const nextTurn = ({ clock }: World): Promise<void> => new Promise((resolve) => void clock.after(0, resolve));

/** Runs one plan, and tells its diary. */
async function replay(plan: Plan, given: GivenArguments, world: World): Promise<ExitCode> {
  const { terminal, clock } = world;
  const asJson = given.switches.has("json");
  const diary: string[] = [];
  const startedMs = clock.nowMs();
  const ran = await runSettled(
    plan,
    () => nextTurn(world),
    (line) => {
      if (asJson) diary.push(line);
      else terminal.out(line);
    },
  );
  if (asJson) terminal.out(JSON.stringify({ ...showRun(plan.seed, ran, undefined), plan, diary }, null, 2));
  else terminal.out(renderRun(plan.seed, ran, undefined));
  terminal.error(`It took ${((clock.nowMs() - startedMs) / 1_000).toFixed(1)} s.`);
  return ran.breach === undefined ? 0 : 1;
}

function renderRun(seed: number, { breach, digest, simulatedMs, lines }: Ran, shrunk: Shrunk | undefined): string {
  const days = (simulatedMs / DAY_MS).toFixed(1);
  if (breach === undefined) return `seed ${seed}: ${days} days, ${lines} lines, ${digest}`;
  const told = [
    `seed ${seed}: BROKEN ${breach.invariant} at ${new Date(breach.atMs).toISOString()} (${digest})`,
    `  ${breach.says}`,
  ];
  if (shrunk === undefined) return told.join("\n");
  const { happenings, club } = shrunk.plan;
  told.push(`  It breaks with ${club.athletes.length} athletes and these happenings (found in ${shrunk.tries} tries):`);
  for (const happening of happenings) told.push(`    ${JSON.stringify(happening)}`);
  return told.join("\n");
}

/** As everywhere in JSON: snake_case, times in milliseconds since the epoch, UTC. */
function showRun(seed: number, ran: Ran, shrunk: Shrunk | undefined): object {
  const { breach, digest, lines, simulatedMs, figures } = ran;
  return {
    seed,
    digest,
    lines,
    simulated_ms: simulatedMs,
    broken: breach === undefined ? null : { invariant: breach.invariant, says: breach.says, at: breach.atMs },
    figures,
    ...(shrunk === undefined ? {} : { shrunk: shrunk.plan }),
  };
}

function keep(plan: Plan, given: GivenArguments, { terminal }: World): void {
  const path = given.values.test;
  if (path === undefined) return;
  writeNewFile(path, `${JSON.stringify(plan, null, 2)}\n`, { replace: given.switches.has("force") });
  terminal.error(`Wrote ${path}.`);
}

/** @throws FailedError that tells every problem of the file. */
function openPlan(path: string, { readFile }: World): Plan {
  const text = readFile(path);
  if (text === undefined) throw new FailedError(`There is no file ${path}.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedError(`${path} is not JSON: ${reason}.`, { cause: error });
  }
  const read = readPlan(value);
  if ("plan" in read) return read.plan;
  const lines = read.problems.map((problem) => `  ${problem}`);
  throw new FailedError([`${path} holds no plan, as --test writes it:`, ...lines].join("\n"));
}
