import { expect } from "bun:test";
import { DAY_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import type { DaemonProcess } from "../../../src/simulation/daemon-process.ts";
import { ProcessDied } from "../../../src/simulation/driver.ts";
import type { Edge } from "../../../src/simulation/edges.ts";
import { askApi } from "../../../src/simulation/happen-by-persons.ts";
import { ATHLETES, WORKERS } from "./club.ts";
import { type Command, command, expectAtWork, hasMoved } from "./command.ts";
import { athleteOf, moves, placesThat } from "./model.ts";

/** The whole daemon claims nothing, over restarts too. */
export const pauseDaemon = (): Command =>
  command(
    "pause the daemon",
    ({ daemon }) => daemon === "up",
    (model, club) => {
      expect(club.world.await(askApi(club.world, "POST", "/api/admin/pause"))?.status).toBe(200);
      model.daemon = "paused";
      model.isPausedOverRestarts = true;
      for (let place = 0; place < ATHLETES; place++) club.mark(place).frozenRuns ??= club.sync(place)?.runs;
      club.world.runFor(30 * SECOND_MS);
    },
  );

export const resumeDaemon = (): Command =>
  command(
    "resume the daemon",
    ({ daemon }) => daemon === "paused",
    (model, club) => {
      for (const place of placesThat(model, (_, at) => !athleteOf(model, at).isPaused))
        club.mark(place).frozenRuns = undefined;
      model.daemon = "up";
      model.isPausedOverRestarts = false;
      expect(club.world.await(askApi(club.world, "POST", "/api/admin/resume"))?.status).toBe(200);
      expectAtWork(model, club, placesThat(model, moves).slice(0, WORKERS));
    },
  );

/** The process dies as by SIGKILL: at an edge that it passes in the next seconds, or else where it stands. */
export const crash = (edge: Edge, nth: number): Command =>
  command(
    `crash(${edge}, ${nth})`,
    ({ daemon }) => daemon !== "down",
    (model, club) => {
      const { world } = club;
      // Five deaths in a row without progress, and a batch may be what kills the daemon: that is another test.
      if (club.count("SELECT max(deaths) AS n FROM batches WHERE status IN ('pending', 'processing')") >= 3) return;
      const die = (process: DaemonProcess) => world.crash(process, 1_000 * DAY_MS, `at ${edge}`);
      const callOff = world.edges.set(edge, nth, (holder) => {
        die(holder as DaemonProcess);
        throw new ProcessDied();
      });
      world.runUntil(() => world.daemon === undefined, 12 * SECOND_MS);
      callOff();
      if (world.daemon !== undefined) die(world.daemon);
      model.daemon = "down";
    },
  );

/** What was left is due again or at work, for no attempt; and nobody holds a lease of the dead. */
export const restart = (): Command =>
  command(
    "restart",
    ({ daemon }) => daemon === "down",
    (model, club) => {
      const { world } = club;
      const attempts = club.count("SELECT total(attempts) AS n FROM batches");
      const left = placesThat(model, (_, place) => club.sync(place)?.processing === 1);
      world.start();
      model.daemon = model.isPausedOverRestarts ? "paused" : "up";
      model.startedAtMs = world.time.nowMs();
      // What it had in flight, and could not book, it learns of by asking once.
      model.refusalsAtMost++;
      expect(world.runUntil(() => world.daemon !== undefined, MINUTE_MS)).toBe(true);
      world.runFor(SECOND_MS);
      expect(club.count("SELECT total(attempts) AS n FROM batches")).toBe(attempts);
      const { owner } = club.parts.context;
      const foreign = `SELECT count(*) AS n FROM batches WHERE status = 'processing' AND owner <> '${owner}'`;
      expect(club.count(foreign)).toBe(0);
      // A start takes up by itself what was left, and waits for no tick; whoever was served longest ago goes first.
      const due = left.filter((place) => moves(model, place));
      const working = placesThat(model, moves).filter((place) => hasMoved(club, place, Number.POSITIVE_INFINITY));
      expect(working.length).toBeGreaterThanOrEqual(Math.min(WORKERS, due.length));
    },
  );
