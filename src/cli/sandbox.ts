import { existsSync } from "node:fs";
import { toLoopbackOnly } from "../sandbox/loopback.ts";
import type { QuotaLimits } from "../sandbox/quota-windows.ts";
import { createSandbox, type Sandbox, type SandboxOptions } from "../sandbox/sandbox.ts";
import { serveSandbox } from "../sandbox/serve.ts";
import type { GivenArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { FailedError, UsageError } from "./failures.ts";
import { type SandboxFacts, sandboxIntroduction } from "./sandbox-introduction.ts";
import { untilAborted, type World } from "./world.ts";

const PORT_DEFAULT = 8721;
/** So many can be printed and imported by hand without a wait; a club is rarely larger. */
const ATHLETES_MAX = 2_000;

export const sandbox: Command = {
  name: "sandbox",
  summary: "serves the built-in Strava sandbox alone",
  details: `Serves a faithful fake of Strava on 127.0.0.1, with an invented club (or recorded activities), and prints how to sync
against it. Its faults, its quota, what its athletes record and which events it sends are controlled under /sandbox/.
It sends events to this machine only.`,
  flags: {
    port: { takes: "N", description: `Where it listens; ${PORT_DEFAULT} unless given, 0 picks a free port.` },
    seed: { takes: "S", description: "The same seed gives the same club; 1 unless given." },
    athletes: { takes: "N", description: "Athletes in the club; 5 unless given." },
    unconnected: { takes: "N", description: "How many of them have yet to connect; 0 unless given." },
    activities: { takes: "N|MIN-MAX", description: "Activities of each; 40-120 unless given." },
    races: { takes: "N|MIN-MAX", description: "Races among them; 3-12 unless given." },
    recording: { takes: "DIR", description: "A folder of recorded lists of activities, instead of an invented club." },
    quota: {
      takes: "Q,D[,Q,D]",
      description: "Read requests a quarter-hour and a day, then all requests; 100,1000,200,2000 unless given.",
    },
    latency: { takes: "MS|MIN-MAX", description: "How long an answer takes, in milliseconds; 0 unless given." },
    rotate: { description: "A refresh kills the old refresh token, as Strava may." },
  },
  takesSettings: false,
  async run(given, world) {
    const { port, seed, options } = readOptions(given);
    const interruption = world.interruption();
    const fake = open(options, world);
    const server = listen(fake, port);
    const facts: SandboxFacts = {
      url: server.url,
      seed,
      people: fake.people(),
      athletes: fake.athletes(),
      quota: fake.quota(),
    };
    world.terminal.out(sandboxIntroduction(facts));
    await untilAborted(interruption);
    await server.stop();
    return 0;
  },
};

function open(options: Omit<SandboxOptions, "clock">, { clock, fetch }: World): Sandbox {
  const { club } = options;
  if ("folder" in club && !existsSync(club.folder)) throw new FailedError(`There is no folder ${club.folder}.`);
  try {
    return createSandbox({ ...options, clock, deliver: toLoopbackOnly(fetch) });
  } catch (error) {
    if (!("folder" in club) || !(error instanceof Error)) throw error;
    throw new FailedError(`The recording cannot be used: ${error.message}.`, { cause: error });
  }
}

function listen(fake: Sandbox, port: number): ReturnType<typeof serveSandbox> {
  try {
    return serveSandbox(fake, { port });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedError(
      `The sandbox cannot listen on 127.0.0.1 port ${port} (${reason}). Give another one with --port (0 picks a free one).`,
      {
        cause: error,
      },
    );
  }
}

/** @throws UsageError with every problem */
function readOptions({ values, switches }: GivenArguments): {
  port: number;
  seed: number;
  options: Omit<SandboxOptions, "clock">;
} {
  const problems: string[] = [];
  const number = (name: string, fallback: number, max: number, min = 0): number =>
    readWhole(values[name] ?? String(fallback), { min, max }) ??
    complain(problems, name, `a whole number from ${min} to ${max}`, fallback);
  const range = (name: string, fallback: Range, max: number): Range =>
    values[name] === undefined
      ? fallback
      : (readRange(values[name], max) ?? complain(problems, name, `a number up to ${max}, or two: 3-12`, fallback));

  const port = number("port", PORT_DEFAULT, 65_535);
  const seed = number("seed", 1, 2 ** 32 - 1);
  const athletes = number("athletes", 5, ATHLETES_MAX, 1);
  const unconnected = number("unconnected", 0, athletes);
  const activitiesEach = range("activities", { min: 40, max: 120 }, 20_000);
  const racesEach = range("races", { min: 3, max: 12 }, 20_000);
  const latencyMs = range("latency", { min: 0, max: 0 }, 600_000);
  const quota =
    values.quota === undefined
      ? {}
      : (readQuota(values.quota) ??
        complain(problems, "quota", "two or four numbers: 100,1000 or 100,1000,200,2000", {}));
  const isInvented = ["athletes", "unconnected", "activities", "races"].some((name) => values[name] !== undefined);
  if (values.recording !== undefined && isInvented) {
    problems.push(
      "--recording brings its own athletes: leave --athletes, --unconnected, --activities and --races out.",
    );
  }
  if (problems.length > 0) throw new UsageError(problems);
  const club =
    values.recording === undefined
      ? { athletes, unconnected, activitiesEach, racesEach }
      : { folder: values.recording };
  return { port, seed, options: { seed, club, quota, latencyMs, rotateRefreshTokens: switches.has("rotate") } };
}

type Range = { readonly min: number; readonly max: number };

function complain<T>(problems: string[], name: string, expected: string, fallback: T): T {
  problems.push(`--${name} is ${expected}.`);
  return fallback;
}

function readWhole(text: string, { min, max }: Range): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

function readRange(text: string, max: number): Range | undefined {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const range = { min: Number(from), max: Number(to) };
  return range.min <= range.max && range.max <= max ? range : undefined;
}

function readQuota(text: string): { read: QuotaLimits; overall?: QuotaLimits } | undefined {
  const numbers = text.split(",").map((part) => readWhole(part, { min: 0, max: 10_000_000 }));
  const [readQuarter, readDay, quarter, day] = numbers;
  if (readQuarter === undefined || readDay === undefined) return undefined;
  const read = { quarter: readQuarter, day: readDay };
  if (numbers.length === 2) return { read };
  if (numbers.length !== 4 || quarter === undefined || day === undefined) return undefined;
  return { read, overall: { quarter, day } };
}
