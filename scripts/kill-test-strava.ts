import { systemClock } from "../src/clock.ts";
import { type EpochMs, SECOND_MS } from "../src/core/units.ts";
import { createSandbox, type Sandbox } from "../src/sandbox/sandbox.ts";
import { serveSandbox } from "../src/sandbox/serve.ts";

/** A sandbox on a port of its own, in this process: what it was asked for is known exactly. */
export type WatchedStrava = {
  readonly sandbox: Sandbox;
  readonly url: string;
  /**
   * Resolves once `count` API requests have been answered since the call; 0: once one has come in. @throws when that
   * takes longer than `ANSWERS_LIMIT_MS`.
   */
  answered(count: number): Promise<void>;
  /** When the newest answer for a path (with its query) was handed over. */
  readonly answeredAtMs: ReadonlyMap<string, EpochMs>;
  stop(): Promise<void>;
};

/** How long an answer takes. Long enough that most kills meet requests in flight. */
export const LATENCY_MS = { min: 40, max: 120 };
/** A restart takes some tenths of a second; on a machine that is busy with all the rest, some more. */
const ANSWERS_LIMIT_MS = 30 * SECOND_MS;
/** Ten years: no two of the activities share a second by design, some by chance. */
const SPAN_DAYS = 3_650;
const QUOTA = { quarter: 1_000_000, day: 1_000_000 };

/** A club whose lists and races last, together, for so many kills in each phase, with nothing scarce but time. */
export function openWatchedStrava(wanted: { seed: number; kills: number; athletes: number }): WatchedStrava {
  const { seed, kills, athletes } = wanted;
  // Between two kills the walks get on by up to 10 pages together, by 4 on average; the same for races.
  const athlete = {
    activities: Math.ceil((6 * kills + 12) / athletes) * 200,
    races: Math.ceil((36 * kills + 90) / athletes),
  };
  const sandbox = createSandbox({
    clock: systemClock,
    seed,
    club: { athletes: Array.from({ length: athletes }, () => athlete), spanDays: SPAN_DAYS },
    latencyMs: LATENCY_MS,
    quota: { overall: QUOTA, read: QUOTA },
  });
  const watches = new Set<Watch>();
  const answeredAtMs = new Map<string, EpochMs>();
  const served = serveSandbox(
    {
      ...sandbox,
      async fetch(request) {
        for (const watch of watches) watch.noteRequest();
        const answer = await sandbox.fetch(request);
        const { pathname, search } = new URL(request.url);
        answeredAtMs.set(`${pathname}${search}`, systemClock.nowMs());
        for (const watch of watches) watch.noteAnswer();
        return answer;
      },
    },
    { port: 0 },
  );
  return {
    sandbox,
    url: served.url,
    answered: (count) => watchFor(count, watches),
    answeredAtMs,
    stop: () => served.stop(),
  };
}

type Watch = { noteRequest(): void; noteAnswer(): void };

function watchFor(count: number, watches: Set<Watch>): Promise<void> {
  let answers = 0;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      watches.delete(watch);
      callOff();
      settle();
    };
    const watch: Watch = {
      noteRequest: () => count === 0 && end(resolve),
      noteAnswer: () => ++answers === count && end(resolve),
    };
    const callOff = systemClock.after(ANSWERS_LIMIT_MS, () =>
      end(() =>
        reject(new Error(`Only ${answers} of ${count} requests came within ${ANSWERS_LIMIT_MS / SECOND_MS} s`)),
      ),
    );
    watches.add(watch);
  });
}
