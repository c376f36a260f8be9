import { expect } from "bun:test";
import { MINUTE_MS, QUARTER_MS, SECOND_MS } from "../../../src/core/units.ts";
import type { DeedName } from "../../../src/simulation/hand.ts";
import { happen } from "../../../src/simulation/happen.ts";
import { REQUESTS_IN_FLIGHT, TICK_MS } from "./club.ts";
import { type Command, command, commandOn, seen } from "./command.ts";
import { isHeld, moves, placesThat } from "./model.ts";

/** Rows of a running sync are changed by hand: found within a tick, and mended within two more. */
export const tamper = (nth: number, deed: Deed): Command =>
  commandOn(
    `tamper: ${deed} of`,
    nth,
    (model, place) => moves(model, place) && model.failing.size === 0,
    (model, club, place) => {
      const { world } = club;
      const isAtWork = () => club.sync(place)?.processing === 1 || club.sync(place)?.status === "completed";
      world.runUntil(isAtWork, TICK_MS);
      const sync = seen(club, place);
      if (sync.status !== "in_progress") return;
      const before = club.count("SELECT count(*) AS n FROM syncs WHERE status = 'in_progress' AND id < ?1", sync.id);
      const newest = club.newestFinding();
      happen(world, { afterMs: 0, what: "hand", deed, nth: before });
      model.attemptsAtMost++;
      club.mark(place).leasesTaken++;
      const found = () =>
        world.file.client
          .query<{ kind: string; outcome: string }, [number, number]>(
            "SELECT kind, outcome FROM findings WHERE id > ?1 AND sync_id = ?2 AND kind <> 'left_by_former_process' ORDER BY id LIMIT 1",
          )
          .get(newest, sync.id);
      const ageProvesInMs = BY_AGE.has(deed) ? Math.max(0, model.startedAtMs + MINUTE_MS - world.time.nowMs()) : 0;
      world.runUntil(() => found() !== null, TICK_MS + ageProvesInMs);
      expect({ deed, found: found()?.kind }).toEqual({ deed, found: expect.stringMatching(FOUND[deed]) });
      world.runUntil(() => found()?.outcome !== "pending", 2 * TICK_MS);
      expect({ deed, outcome: found()?.outcome }).toEqual({ deed, outcome: "verified" });
    },
  );

/** Somebody else spends what the quarter has left: a few refusals, and then nobody asks. */
export const spendQuota = (): Command =>
  command(
    "somebody spends the quota",
    (model) => !isHeld(model),
    (model, club) => {
      const { world } = club;
      model.heldUntilMs = (Math.floor(world.time.nowMs() / QUARTER_MS) + 1) * QUARTER_MS;
      model.refusalsAtMost = REQUESTS_IN_FLIGHT;
      club.spentAt = club.requests();
      happen(world, { afterMs: 0, what: "spend_quota", requests: 1_000 });
      world.runFor(20 * SECOND_MS);
    },
  );

/** The quarter ends: what waited goes on by itself, for no attempt. */
export const resetQuota = (): Command =>
  command("quota reset", isHeld, (model, club) => {
    const { world } = club;
    world.runFor(model.heldUntilMs - world.time.nowMs());
    model.nowMs = world.time.nowMs();
    const waiting = placesThat(model, moves);
    const runs = waiting.map((place) => club.sync(place)?.runs ?? 0);
    const hasGoneOn = (place: number, nth: number) => {
      const sync = club.sync(place);
      return (
        sync?.status === "completed" || (sync !== undefined && (sync.runs > (runs[nth] ?? 0) || sync.processing === 1))
      );
    };
    world.runUntil(() => waiting.every(hasGoneOn), 3 * MINUTE_MS);
    expect(waiting.filter((place, nth) => !hasGoneOn(place, nth))).toEqual([]);
  });

/** Deeds of a hand whose trouble is sure, and what it is taken for. */
export const FOUND = {
  live_batches_deleted: /^missing_(discovery|enrichment)_batch(es)?$/,
  live_batches_completed: /^missing_(discovery|enrichment)_batch(es)?$/,
  live_batches_cancelled: /^missing_(discovery|enrichment)_batch(es)?$/,
  lease_emptied: /^impossible_lease$/,
  lease_far_ahead: /^impossible_lease$/,
  lease_in_the_past: /^orphaned_batch$/,
  wait_without_end: /^far_wait$/,
  wait_for_the_past: /^waiting_past_reset$/,
} as const satisfies Partial<Record<DeedName, RegExp>>;
export type Deed = keyof typeof FOUND;
/** What only the clock can tell to be wrong. */
const BY_AGE: ReadonlySet<Deed> = new Set(["lease_far_ahead", "lease_in_the_past"]);
