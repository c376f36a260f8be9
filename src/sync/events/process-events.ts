import type { Hold } from "../../core/snapshot.ts";
import type { OurSubscriptions } from "../../core/subscription.ts";
import { type EpochMs, SECOND_MS } from "../../core/units.ts";
import { newestEventId, nextEventDueAtMs, readDueEvents } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";
import type { Processor } from "../processor.ts";
import { settleWithin } from "../settle-within.ts";
import type { Look } from "./event-look.ts";
import { holdError, holdLooks } from "./hold-looks.ts";
import { lookAtActivity } from "./look-at-activity.ts";
import { type EventGroup, sortDueEvents } from "./sort-events.ts";
import { verifyGrant } from "./verify-grant.ts";

export type EventProcessor = {
  /** Events may be due: looks in the next turn of the event loop. */
  wake(): void;
  /** Starts no look any more; those under way finish what is in flight, or are called off when `limitMs` is up. */
  stop(limitMs: number): Promise<void>;
};

/** Looks at once, each at another object. How many requests are in flight is the governor's to say. */
const LOOKS_AT_ONCE = 4;
/** After an error that nobody foresaw (a full disk): again, but not in a tight loop. */
const RETRY_MS = SECOND_MS;
/** Requests that were aborted need a moment to be written back before the database closes. */
const WRITE_BACK_MS = SECOND_MS;

type Active = { readonly abort: () => void; readonly callOffUnsent: () => void; readonly done: Promise<void> };

/**
 * Works off the inbox of Strava's events: settles those that mean nothing to us, and looks at the rest, a few at once. It
 * is woken by events that are stored, by looks that end, by its own timer for what was put off, and by a job each minute.
 * While the processor claims nothing, since somebody paused the daemon, no look is started.
 * @param options.ourSubscriptions those that are known now.
 */
export function createEventProcessor(
  context: SyncContext,
  options: { processor: Processor; ourSubscriptions: () => OurSubscriptions },
): EventProcessor {
  const { db, clock, commits, governor, log } = context;
  const { processor, ourSubscriptions } = options;
  const active = new Map<string, Active>();
  let isPassing = false;
  let isWokenAgain = false;
  let isStopping = false;
  let callOffTimer = (): void => {};
  let toldUntilMs: EpochMs | undefined;

  function wake(): void {
    // What came while a pass was reading may have been missed by it.
    if (isPassing) isWokenAgain = true;
    if (isPassing || isStopping) return;
    isPassing = true;
    clock.after(0, () => void pass());
  }

  async function pass(): Promise<void> {
    callOffTimer();
    isWokenAgain = false;
    // By then the database may be closed.
    if (isStopping) return;
    try {
      // A look without the write lock, so that an idle pass writes nothing.
      const isAnyDue = readDueEvents(db, clock.nowMs(), 1).length > 0;
      const hasMore = isAnyDue && (await workOff());
      isPassing = false;
      if (hasMore || isWokenAgain) wake();
      else sleepUntilDue();
    } catch (error) {
      isPassing = false;
      log.warn("event.pass_failed", `Strava's events could not be worked off just now: ${messageOf(error)}`);
      if (!isStopping) callOffTimer = clock.after(RETRY_MS, wake);
    }
  }

  /** True when something was moved out of the way: what lies behind it is next. */
  async function workOff(): Promise<boolean> {
    const { moved, groups } = await commits.soon(() => {
      const sorted = sortDueEvents(context, ourSubscriptions());
      const hold = governor.hold("event");
      if (hold === undefined) return sorted;
      const held = holdLooks(context, sorted, hold);
      if (held !== sorted) commits.afterCommit(() => tellOfHold(hold));
      return held;
    });
    for (const group of groups) if (mayStart() && !active.has(group.key)) start(group);
    return moved > 0;
  }

  /** Once a hold: what comes while it lasts is put off without a word. */
  function tellOfHold(hold: Hold): void {
    if (hold.untilMs === toldUntilMs) return;
    toldUntilMs = hold.untilMs;
    log.info("event.looks_wait", `What Strava told of is looked at later: ${holdError(hold)}`, {
      until_ms: hold.untilMs,
    });
  }

  function mayStart(): boolean {
    return !isStopping && processor.view().isClaiming && active.size < LOOKS_AT_ONCE;
  }

  function start(group: EventGroup): void {
    const controller = new AbortController();
    const unsent = new AbortController();
    const callOffUnsent = () => unsent.abort("stopping");
    const abort = () => {
      callOffUnsent();
      controller.abort("stopping");
    };
    const look = openLook(context, group, { signal: controller.signal, unsent: unsent.signal });
    active.set(group.key, { abort, callOffUnsent, done: run(group, look) });
  }

  /** Never rejects. */
  async function run(group: EventGroup, look: Look): Promise<void> {
    const free = () => {
      active.delete(group.key);
      wake();
    };
    try {
      const result = await (group.needs === "look"
        ? lookAtActivity(context, look)
        : verifyGrant(context, processor, look));
      look.span.setAttributes({ "broomwagon.look.result": result });
      log.info("event.looked_at", `Strava told of an ${look.objectType}; a look saw: ${result}.`, idsOf(look));
      free();
    } catch (error) {
      look.span.fail(messageOf(error));
      log.error("event.look_failed", `A look failed, and is tried again: ${messageOf(error)}`, idsOf(look));
      clock.after(RETRY_MS, free);
    }
    look.span.end();
  }

  function sleepUntilDue(): void {
    const nowMs = clock.nowMs();
    const dueMs = isStopping ? undefined : nextEventDueAtMs(db, nowMs);
    if (dueMs !== undefined) callOffTimer = clock.after(dueMs - nowMs, wake);
  }

  return {
    wake,
    async stop(limitMs) {
      isStopping = true;
      callOffTimer();
      for (const look of active.values()) look.callOffUnsent();
      const allDone = Promise.all([...active.values()].map((look) => look.done));
      await settleWithin(clock, limitMs, allDone);
      for (const look of active.values()) look.abort();
      await settleWithin(clock, WRITE_BACK_MS, allDone);
    },
  };
}

function openLook(context: SyncContext, group: EventGroup, signals: Pick<Look, "signal" | "unsent">): Look {
  const { athleteId, events } = group;
  const [first] = events;
  if (first === undefined) throw new Error("A look was started without an event: a bug in the caller");
  const { objectType, objectId, ownerId } = first;
  const span = context.tracer.startSpan("event.look", {
    attributes: {
      "broomwagon.event.id": first.id,
      "broomwagon.event.object": objectType,
      "broomwagon.event.count": events.length,
      "broomwagon.athlete.id": athleteId,
    },
  });
  const throughId = newestEventId(context.db);
  const asking = { athleteId, syncClass: "event", span, ...signals, token: undefined, unbookedRequests: 0 } as const;
  return { ...asking, objectType, objectId, ownerId, events, throughId };
}

const idsOf = (look: Look) => ({
  athlete_id: look.athleteId,
  event_id: look.events[0]?.id,
  trace_id: look.span.traceId,
  span_id: look.span.spanId,
});

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
