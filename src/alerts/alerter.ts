/**
 * Alerts: what is told to whom, and when. Rooms below open and close troubles in the transactions that make them; here the
 * rules decide what is told of them, the outbox keeps it until it is delivered, and channels carry it. It runs beside the
 * monitor and watches it, so that a silent monitor is told of as well.
 */
import { type DeliveryResult, LONGEST_DELIVERY_WAIT_MS } from "../core/delivery.ts";
import { rollHex } from "../core/dice.ts";
import { type EpochMs, MINUTE_MS, plusMs, SECOND_MS } from "../core/units.ts";
import { dateMessagesBack, hasMessageFromFuture, insertMessage } from "../db/alert-messages.ts";
import type { Seal } from "../db/seal.ts";
import type { SyncContext } from "../sync/context.ts";
import { composeTest } from "./compose.ts";
import { createOutbox } from "./outbox.ts";
import type { Reach } from "./post.ts";
import { type TellingParts, tellTroubles } from "./tell-troubles.ts";
import { type Watched, watchDaemon } from "./watch-daemon.ts";

export type Alerter = {
  /** The minute's turn: looks at what nobody reports, tells what there is to tell, delivers what is due. */
  tick(): Promise<void>;
  /** Something may have changed: troubles, rules, channels. */
  wake(): void;
  /** Sends a test to a channel now, and says what came of it. `messageId`: of the outbox. */
  test(channelId: number): Promise<DeliveryResult & { readonly messageId: number }>;
  /** Tells nothing any more; deliveries under way get so long. */
  stop(limitMs: number): Promise<void>;
};

/** After a start, an absence or a jump of the clock: what age would prove is not told for so long. */
export const GRACE_MS = 2 * MINUTE_MS;
/** Longer without a pass, and it was the daemon that was away: its job comes every minute. */
const AWAY_MS = 2.5 * MINUTE_MS;
/** What fails together is told together: so long after the first, the others are there too. */
const GATHER_MS = SECOND_MS;

export function createAlerter(
  context: SyncContext,
  parts: { seal: Seal; reach: Reach; watched: Watched } & TellingParts,
): Alerter {
  const { db, clock, dice, commits, log } = context;
  const outbox = createOutbox(context, parts);
  let sinceMs = clock.nowMs();
  let graceUntilMs = plusMs(sinceMs, GRACE_MS);
  let lastPassAtMs = sinceMs;
  /** Messages may carry times of a clock that was ahead: at the start, and after it was set back. */
  let areDatesDoubtful = true;
  let isGathering = false;
  let isStopping = false;
  let running: Promise<void> | undefined;
  context.bell.onRing(wake);

  /** When the daemon was away, or its clock jumped, nothing that is old now has grown old under its eyes. */
  function awake() {
    const nowMs = clock.nowMs();
    const passedMs = nowMs - lastPassAtMs;
    lastPassAtMs = nowMs;
    if (passedMs < 0) areDatesDoubtful = true;
    if (passedMs < 0 || passedMs > AWAY_MS) {
      sinceMs = nowMs;
      graceUntilMs = plusMs(nowMs, GRACE_MS);
    }
    return { nowMs, sinceMs, graceUntilMs };
  }

  function wake(): void {
    if (isGathering || isStopping) return;
    isGathering = true;
    clock.after(GATHER_MS, () => {
      isGathering = false;
      tellAlone({ andWatch: false }).catch((error: unknown) => {
        log.warn("alert.pass_failed", `Troubles could not be told just now: ${String(error)}`);
      });
    });
  }

  /** Two passes side by side would decide on the same troubles. */
  async function tellAlone(how: { andWatch: boolean }): Promise<void> {
    while (running !== undefined) await running.catch(() => undefined);
    if (isStopping) return;
    running = pass(how).finally(() => {
      running = undefined;
    });
    return running;
  }

  async function pass({ andWatch }: { andWatch: boolean }): Promise<void> {
    const now = awake();
    await dateBack(now.nowMs);
    if (andWatch) await watch(now.sinceMs);
    if (!isStopping) await tellTroubles(context, parts, now);
    outbox.wake();
  }

  /** A clock that was ahead would strand what waits until its own time comes. */
  async function dateBack(nowMs: EpochMs): Promise<void> {
    if (!areDatesDoubtful) return;
    const latestDueMs = plusMs(nowMs, LONGEST_DELIVERY_WAIT_MS);
    if (hasMessageFromFuture(db, nowMs, latestDueMs))
      await commits.soon(() => dateMessagesBack(db, nowMs, latestDueMs));
    areDatesDoubtful = false;
  }

  /** What cannot be looked at (a bad row, a lock) keeps nothing from being told. */
  async function watch(awakeSinceMs: EpochMs): Promise<void> {
    try {
      await watchDaemon(context, parts.watched, awakeSinceMs);
    } catch (error) {
      log.error("alert.watch_failed", `Not everything could be looked at for alerts: ${String(error)}`);
    }
  }

  return {
    tick: () => tellAlone({ andWatch: true }),
    wake,
    async test(channelId) {
      const nowMs = clock.nowMs();
      const id = `msg_${rollHex(dice, 16)}`;
      const content = composeTest({ id, nowMs, linkTo: context.links.api, traceUrl: parts.traceUrl });
      const message = await commits.soon(() =>
        insertMessage(db, { troubleId: null, channelId, kind: "test", content: JSON.stringify(content), nowMs }),
      );
      const result = await outbox.deliverOnce(message);
      return { ...result, messageId: message.id };
    },
    async stop(limitMs) {
      isStopping = true;
      await outbox.stop(limitMs);
    },
  };
}
