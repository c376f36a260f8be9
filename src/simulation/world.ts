import type { Config } from "../config.ts";
import { seededDice } from "../core/dice.ts";
import { type Clock, type Dice, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import { createSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { type Curses, clubOf, curse, cursesOf, shortenPages } from "./club.ts";
import { configOf, DaemonProcess, type Surroundings } from "./daemon-process.ts";
import { DatabaseFile } from "./database-file.ts";
import { Diary } from "./diary.ts";
import { Disturbances } from "./disturbances.ts";
import { ProcessDied } from "./driver.ts";
import { Edges } from "./edges.ts";
import { FaultsMet } from "./faults-met.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { Overheard } from "./overheard.ts";
import type { Plan } from "./plan.ts";
import { Receiver } from "./receiver.ts";
import type { Scene } from "./scene.ts";
import { VirtualTime, worldClock } from "./virtual-time.ts";

/** A start that fails is tried again by whoever looks after the machine. */
const START_AGAIN_MS = 5 * SECOND_MS;
/** A club connects within its first minute. */
const READY_LIMIT_MS = MINUTE_MS;

/** Everything there is: the box with its clock, its database and the daemon on it, Strava, and who looks on. */
export class World implements Scene {
  readonly plan: Plan;
  readonly config: Config;
  readonly time: VirtualTime;
  /** The true time, and timers of whoever is not the machine. */
  readonly outside: Clock;
  readonly machine: Machine;
  readonly edges = new Edges(() => this.oracle.lookAfterCommit());
  readonly file = new DatabaseFile();
  readonly diary: Diary;
  readonly disturbances: Disturbances;
  readonly oracle: Oracle;
  readonly receiver: Receiver;
  readonly strava: Sandbox;
  readonly curses: Curses;
  readonly network: Network;
  readonly overheard = new Overheard();
  readonly faults: FaultsMet;
  /** For choices that a plan leaves open. */
  readonly dice: Dice;
  /** The daemon; undefined while it is down. */
  daemon: DaemonProcess | undefined;
  /** A second one on the same file. */
  rival: DaemonProcess | undefined;
  starts = 0;
  /** What has really happened, and how often: not all that is planned comes to pass. */
  readonly happened: Record<string, number> = {};
  /** Whether somebody was to be erased, whatever the answer was: it may have been lost. */
  mayBeErased = false;

  constructor(plan: Plan, listen?: (line: string) => void) {
    this.plan = plan;
    this.config = configOf(plan.settings);
    this.dice = seededDice(plan.seed ^ 0x1f83_d9ab);
    this.time = new VirtualTime(plan.startMs, (error) => this.oracle.threw(error));
    this.outside = worldClock(this.time);
    this.machine = new Machine(this.time, this.outside);
    this.diary = new Diary(this.outside, listen);
    this.receiver = new Receiver(this.outside);
    this.strava = createSandbox(this.#sandboxOptions());
    this.curses = cursesOf(this.strava, plan.club);
    curse(this.strava, this.curses);
    shortenPages(this.strava, plan.club);
    this.disturbances = new Disturbances(this.outside);
    this.faults = new FaultsMet(this.strava, this.disturbances, (name) => this.noteHappened(name));
    this.oracle = new Oracle(this);
    this.network = new Network({
      machine: this.machine,
      edges: this.edges,
      clock: this.outside,
      strava: this.strava.fetch,
      answered: () => this.faults.learn(),
      listen: this.oracle,
    });
  }

  /** Starts the daemon, on whatever lies on the disk. */
  start(): void {
    this.machine.deliver(() => {
      if (this.daemon !== undefined) return;
      this.oracle.lookAtBatches();
      if (this.rival === undefined) this.file.reopen();
      this.#begin((process) => {
        this.daemon = process;
      });
    });
  }

  /** A second daemon on the same file; a crash of it is not followed by another start. @returns whether it was started. */
  startRival(): boolean {
    if (this.rival !== undefined || this.machine.isAsleep()) return false;
    this.#begin((process) => {
      this.rival = process;
    });
    return true;
  }

  /** A process dies as by SIGKILL; the daemon is started again after a while. */
  crash(process: DaemonProcess, downMs: number, why: string): void {
    if (!process.isAlive()) return;
    process.kill();
    this.oracle.died(process, "killed");
    this.diary.note(`process ${process.number} dies: ${why}`);
    if (this.rival === process) this.rival = undefined;
    if (this.daemon !== process) return;
    this.daemon = undefined;
    this.outside.after(downMs, () => this.start());
  }

  /** The daemon is asked to end, and started again after a while. @returns whether it was there to be asked. */
  stop(downMs: number): boolean {
    const process = this.daemon;
    if (process === undefined || this.machine.isAsleep()) return false;
    this.diary.note(`process ${process.number} is asked to stop`);
    process.stop().then(
      () => {
        this.diary.note(`process ${process.number} has stopped`);
        this.oracle.died(process, "stopped");
        if (this.daemon === process) this.daemon = undefined;
        this.outside.after(downMs, () => this.start());
      },
      (error: unknown) => {
        if (!(error instanceof ProcessDied)) this.crash(process, downMs, `its stop failed: ${String(error)}`);
      },
    );
    return true;
  }

  noteHappened(what: string): void {
    this.happened[what] = (this.happened[what] ?? 0) + 1;
  }

  /** Lets time pass until something is so, or for so long at most. @returns whether it is so. */
  runUntil(isSo: () => boolean, limitMs: number): boolean {
    this.time.run(this.time.nowMs() + limitMs, () => isSo() || this.oracle.breach !== undefined);
    return isSo();
  }

  /** Lets time pass, unless something breaks. */
  runFor(durationMs: number): void {
    this.time.run(this.time.nowMs() + durationMs, () => this.oracle.breach !== undefined);
  }

  /** Waits for a promise of this world. @throws what it rejects with; Error where it is not settled within a minute. */
  await<T>(promise: Promise<T>): T {
    let settled: { value: T } | { error: unknown } | undefined;
    promise.then(
      (value) => {
        settled = { value };
      },
      (error: unknown) => {
        settled = { error };
      },
    );
    this.runUntil(() => settled !== undefined, READY_LIMIT_MS);
    if (settled === undefined) throw new Error("Nothing came of it within a minute");
    if ("error" in settled) throw settled.error;
    return settled.value;
  }

  close(): void {
    this.daemon?.kill();
    this.rival?.kill();
    this.strava.stop();
    this.file.close();
  }

  #begin(admit: (process: DaemonProcess) => void): void {
    const number = this.starts++;
    let process: DaemonProcess;
    try {
      process = new DaemonProcess(this.#surroundings(), number);
    } catch (error) {
      this.diary.note(`process ${number} cannot be made: ${String(error)}`);
      this.outside.after(START_AGAIN_MS, () => this.start());
      return;
    }
    admit(process);
    this.oracle.started(process);
    process.start().catch((error: unknown) => {
      if (error instanceof ProcessDied || !process.isAlive()) return;
      this.crash(process, START_AGAIN_MS, `it cannot start: ${String(error)}`);
    });
  }

  #surroundings(): Surroundings {
    return {
      seed: this.plan.seed,
      config: this.config,
      file: this.file,
      edges: this.edges,
      machine: this.machine,
      overheard: this.overheard,
      nowMs: () => this.time.nowMs(),
      carry: (process, request) => this.network.carry(process, request),
      post: (process, request) => this.network.post(process, () => this.receiver.receive(request)),
      write: (process, line) => {
        this.diary.note(`process ${process.number} ${line}`);
        this.overheard.hear("log line", line);
        this.oracle.heardLine(line);
      },
      note: (text) => this.diary.note(text),
    };
  }

  #sandboxOptions(): Parameters<typeof createSandbox>[0] {
    const { strava, seed } = this.plan;
    const overall = { quarter: 2 * strava.quarterLimit, day: 2 * strava.dayLimit };
    return {
      clock: this.outside,
      seed,
      club: clubOf(this.plan),
      quota: { overall, read: { quarter: strava.quarterLimit, day: strava.dayLimit } },
      rotateRefreshTokens: strava.rotatesTokens,
      latencyMs: { min: strava.latencyMs[0], max: strava.latencyMs[1] },
      ...(strava.travelMs === undefined ? {} : { travelMs: { min: strava.travelMs[0], max: strava.travelMs[1] } }),
      ...(strava.wording === undefined ? {} : { wording: strava.wording }),
      skewMs: strava.skewMs,
      beforeInclusive: strava.beforeInclusive,
      refuseFutureBefore: strava.refusesFutureBefore,
      deliver: (request) => this.#deliver(request),
    };
  }

  /** Strava, and browsers, reach the daemon only while it is up and awake. */
  #deliver(request: Request): Promise<Response> {
    const { daemon } = this;
    if (daemon === undefined || this.machine.isAsleep()) {
      return Promise.reject(Object.assign(new TypeError("Unable to connect"), { code: "ConnectionRefused" }));
    }
    return daemon.call(request);
  }
}
