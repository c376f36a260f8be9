import type { Config } from "../config.ts";
import type { Clock } from "../core/units.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Curses } from "./club.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { DatabaseFile } from "./database-file.ts";
import type { Diary } from "./diary.ts";
import type { Disturbances } from "./disturbances.ts";
import type { Edges } from "./edges.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";
import type { Plan } from "./plan.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** The world as whoever looks on sees it. */
export type Scene = {
  readonly plan: Plan;
  readonly config: Config;
  readonly time: VirtualTime;
  readonly outside: Clock;
  readonly machine: Machine;
  readonly edges: Edges;
  readonly file: DatabaseFile;
  readonly diary: Diary;
  readonly strava: Sandbox;
  readonly curses: Curses;
  readonly network: Network;
  readonly disturbances: Disturbances;
  readonly daemon: DaemonProcess | undefined;
  readonly rival: DaemonProcess | undefined;
  /** Whether somebody was to be erased: by a person, or since the access was taken back. */
  readonly mayBeErased: boolean;
};
