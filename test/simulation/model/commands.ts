import fc from "fast-check";
import type { Edge } from "../../../src/simulation/edges.ts";
import { ATHLETES } from "./club.ts";
import type { Command } from "./command.ts";
import { crash, pauseDaemon, restart, resumeDaemon } from "./daemon-commands.ts";
import { MAX_ATTEMPTS } from "./model.ts";
import { cancel, claim, complete, fail, pause, resume, start, tick } from "./sync-commands.ts";
import { type Deed, FOUND, resetQuota, spendQuota, tamper } from "./trouble-commands.ts";

const nth = fc.nat({ max: ATHLETES - 1 });
const edge = fc.constantFrom<Edge>("call", "write", "begin", "commit", "committed", "timer", "request", "answered");
const deed = fc.constantFrom(...(Object.keys(FOUND) as Deed[]));
const race = fc.nat({ max: 8 });
const tries = fc.integer({ min: 1, max: MAX_ATTEMPTS });

/** By how often each is drawn: what ends a pause more often than what begins it, so that syncs move most of the time. */
const COMMANDS: readonly (readonly [times: number, commands: fc.Arbitrary<Command>])[] = [
  [5, nth.map(start)],
  [2, fc.constant(tick())],
  [2, nth.map(claim)],
  [3, nth.map(complete)],
  [3, fc.tuple(nth, race, tries).map((drawn) => fail(...drawn))],
  [2, nth.map(pause)],
  [3, nth.map(resume)],
  [1, fc.constant(pauseDaemon())],
  [3, fc.constant(resumeDaemon())],
  [2, nth.map(cancel)],
  [3, fc.tuple(edge, fc.integer({ min: 1, max: 12 })).map((drawn) => crash(...drawn))],
  [5, fc.constant(restart())],
  [8, fc.tuple(nth, deed).map((drawn) => tamper(...drawn))],
  [1, fc.constant(spendQuota())],
  [3, fc.constant(resetQuota())],
];

/** All that may befall a club, in any order. */
export const anyCommands = fc.commands(
  COMMANDS.flatMap(([times, commands]) => Array.from({ length: times }, () => commands)),
  { maxCommands: 60, size: "max" },
);
