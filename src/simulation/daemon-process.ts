import type { Api } from "../api/api.ts";
import type { Config } from "../config.ts";
import { loadConfig } from "../config.ts";
import { seededDice } from "../core/dice.ts";
import { type Clock, type Dice, type Fetch, SECOND_MS } from "../core/units.ts";
import {
  assembleDaemon,
  beginWork,
  createDaemonApi,
  type DaemonMakings,
  type DaemonParts,
  endWork,
  takeUp,
} from "../daemon-parts.ts";
import { retryWhenBusy } from "../db/busy.ts";
import { createSeal } from "../db/seal.ts";
import { createLinks } from "../sync/links.ts";
import { createLog } from "../telemetry/log.ts";
import { createIdTracer } from "../telemetry/tracing.ts";
import type { DatabaseFile } from "./database-file.ts";
import { ProcessDied } from "./driver.ts";
import type { Edges, Holder } from "./edges.ts";
import type { Machine } from "./machine.ts";
import { type Overheard, overhearSpans } from "./overheard.ts";

/** Where athletes, Strava and people find the daemon. */
export const PUBLIC_URL = "https://club.test";
export const ADMIN_TOKEN = "the-admin-token-of-a-simulation";
/** The application's secret at Strava: nothing may show it (I10). */
export const CLIENT_SECRET = "sandbox-secret";
/** Seals what is secret in the database. */
export const SEAL_KEY = new Uint8Array(32).fill(7);
const START_LOCK_LIMIT_MS = 30 * SECOND_MS;
/** A new one each time: who waits for a promise that is kept is kept with it. */
const never = (): Promise<never> => new Promise(() => {});

/** The settings of a plan over what a simulation needs. @throws Error for a setting that the daemon would refuse. */
export function configOf(settings: Readonly<Record<string, string>>): Config {
  const env = {
    STRAVA_CLIENT_ID: "12345",
    STRAVA_CLIENT_SECRET: CLIENT_SECRET,
    BROOMWAGON_PUBLIC_URL: PUBLIC_URL,
    BROOMWAGON_ADMIN_TOKEN: ADMIN_TOKEN,
    BROOMWAGON_STRAVA_API_URL: "https://strava.test/api/v3",
    BROOMWAGON_STRAVA_OAUTH_URL: "https://strava.test/oauth",
    ...settings,
  };
  const loaded = loadConfig({ env, flags: {}, isTerminal: false, readFile: () => undefined });
  if (!loaded.ok) throw new Error(`The plan's settings are refused: ${JSON.stringify(loaded.problems)}`);
  return loaded.config;
}

/** What a process finds around it, and in place of what a machine would give it. */
export type Surroundings = {
  readonly seed: number;
  readonly config: Config;
  readonly file: DatabaseFile;
  readonly edges: Edges;
  readonly machine: Machine;
  readonly overheard: Overheard;
  /** The true time. */
  nowMs(): number;
  /** How its requests leave. */
  carry(process: DaemonProcess, request: Request): Promise<Response>;
  /** How its alerts leave. */
  post(process: DaemonProcess, request: Request): Promise<Response>;
  /** Takes a line of its log. */
  write(process: DaemonProcess, line: string): void;
  note(text: string): void;
};

/** One life of the daemon: everything of it but the directory, the listener and the machine's own clock. */
export class DaemonProcess implements Holder {
  readonly number: number;
  readonly startedAtMs: number;
  readonly parts: DaemonParts;
  readonly #around: Surroundings;
  readonly #makings: DaemonMakings;
  #isAlive = true;
  #api: Api | undefined;

  constructor(around: Surroundings, number: number) {
    this.#around = around;
    this.number = number;
    this.startedAtMs = around.nowMs();
    const dice = seededDice(Math.imul(around.seed, 0x85eb_ca6b) ^ Math.imul(number + 1, 0xc2b2_ae35));
    const randomBytes = (count: number) => bytesOf(dice, count);
    const clock = this.#clock();
    this.#makings = {
      config: around.config,
      db: around.file.open(around.edges, this),
      seal: createSeal({ key: SEAL_KEY, randomBytes }),
      log: createLog({ write: (line) => this.#log(line), clock, level: around.config.logLevel, format: "json" }),
      tracer: overhearSpans(createIdTracer(dice), around.overheard),
      clock,
      dice,
      randomBytes,
      fetch: this.#through(around.carry),
      reach: { resolve: () => Promise.resolve(["192.0.43.10"]), fetch: this.#through(around.post) },
      links: createLinks(PUBLIC_URL, () => PUBLIC_URL),
    };
    this.parts = assembleDaemon(this.#makings);
  }

  isAlive(): boolean {
    return this.#isAlive;
  }

  /** Takes up what is there, and begins. @throws (rejects) what would end a real start. */
  async start(): Promise<void> {
    const { context } = this.parts;
    const limits = { clock: this.#makings.clock, limitMs: START_LOCK_LIMIT_MS };
    const left = await retryWhenBusy(() => takeUp(context), limits);
    this.#around.note(`process ${this.number} begins; ${left} batches were left`);
    beginWork(this.parts);
  }

  /** From now on nothing of it does anything. */
  kill(): void {
    this.#isAlive = false;
  }

  /** Ends as a service manager asks it to. */
  async stop(): Promise<void> {
    await endWork(this.parts);
    await this.parts.context.commits.drained();
    // Who dies on the way there has not stopped, whatever its commits were told.
    if (!this.#isAlive) return never();
    this.kill();
  }

  /** Asks its API. No answer comes from who dies meanwhile. */
  call(request: Request): Promise<Response> {
    if (!this.#isAlive) return never();
    this.#api ??= createDaemonApi(this.#makings, this.parts, {
      runtimeToken: "the-runtime-token-of-a-simulation",
      version: "simulation",
      readProcess: () => ({ residentBytes: 0, cpuSeconds: 0, openFiles: 0 }),
    });
    return this.#api.fetch(request).then((answer) => (this.#isAlive ? answer : never()));
  }

  #clock(): Clock {
    const { machine, edges } = this.#around;
    return {
      nowMs: () => machine.clock.nowMs(),
      after: (delayMs, work) =>
        machine.clock.after(delayMs, () => {
          if (!this.#isAlive) return;
          edges.pass("timer", this);
          work();
        }),
    };
  }

  /** A way out: nobody who is dead takes it, or hears what comes of it. */
  #through(way: Surroundings["carry"]): Fetch {
    return async (request) => {
      if (!this.#isAlive) return never();
      try {
        return await way(this, request);
      } catch (error) {
        if (error instanceof ProcessDied || !this.#isAlive) return never();
        throw error;
      }
    };
  }

  #log(line: string): void {
    if (this.#isAlive) this.#around.write(this, line);
  }
}

function bytesOf(dice: Dice, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => Math.floor(dice() * 256));
}
