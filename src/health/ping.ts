import { type Clock, type EpochMs, type Fetch, SECOND_MS } from "../core/units.ts";
import type { Log } from "../telemetry/log.ts";

/** Tells an outside address that health checks go on, so that somebody notices when they do not. */
export type Ping = {
  /** A check begins, has ended well, or has failed. Returns at once, and never throws. */
  tell(what: PingSignal): void;
  view(): { readonly answeredAtMs: EpochMs | null; readonly isFailing: boolean };
};
export type PingSignal = "start" | "success" | "fail";

const LIMIT_MS = 10 * SECOND_MS;

/**
 * Asks `url/start`, `url` and `url/fail`, as dead-man switches take it (healthchecks.io). One after the other, so that a
 * start never comes after its success; while one is under way, only the newest that matters waits. The address is a secret:
 * it stands in no log line.
 */
export function createPing(options: { url: string; fetch: Fetch; clock: Clock; log: Log }): Ping {
  const { url, fetch, clock, log } = options;
  let isAsking = false;
  let waiting: PingSignal | undefined;
  let answeredAtMs: EpochMs | null = null;
  let problem: string | undefined;

  async function ask(what: PingSignal): Promise<void> {
    isAsking = true;
    note(await whyNotTaken(addressOf(url, what), fetch, clock));
    isAsking = false;
    const next = waiting;
    waiting = undefined;
    if (next !== undefined) void ask(next);
  }

  /** Each change is told of once. */
  function note(why: string | undefined): void {
    if (why === undefined) answeredAtMs = clock.nowMs();
    if (why !== undefined && problem === undefined) {
      log.warn("ping.failed", `The address that is told of health checks (BROOMWAGON_PING_URL) took no ping: ${why}`);
    } else if (why === undefined && problem !== undefined) {
      log.info("ping.mended", "The address that is told of health checks takes pings again.");
    }
    problem = why;
  }

  return {
    tell(what) {
      if (!isAsking) void ask(what);
      // That another check begins matters less than how the one before ended.
      else if (what !== "start" || waiting === undefined) waiting = what;
    },
    view: () => ({ answeredAtMs, isFailing: problem !== undefined }),
  };
}

/** A query stays behind the path. */
function addressOf(url: string, what: PingSignal): string {
  if (what === "success") return url;
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/$/, "")}/${what}`;
  return address.href;
}

/** Why a ping was not taken, without its address; undefined when it was. */
async function whyNotTaken(address: string, fetch: Fetch, clock: Clock): Promise<string | undefined> {
  const controller = new AbortController();
  let callOff = (): void => {};
  const tooLate = new Promise<string>((resolve) => {
    callOff = clock.after(LIMIT_MS, () => {
      resolve(`no answer within ${LIMIT_MS / SECOND_MS} s.`);
      controller.abort();
    });
  });
  try {
    // A redirect may lead anywhere: it is no answer.
    const request = new Request(address, { redirect: "manual", signal: controller.signal });
    const asked = fetch(request).then(async (response) => {
      await response.body?.cancel();
      return response.status >= 200 && response.status < 300 ? undefined : `it answered ${response.status}.`;
    });
    // Whatever comes of it once it is too late is nobody's.
    asked.catch(() => {});
    return await Promise.race([asked, tooLate]);
  } catch (error) {
    // A message may name the address.
    return `it could not be reached (${error instanceof Error ? error.name : "error"}).`;
  } finally {
    callOff();
  }
}
