import { type StravaEventRow, stravaEvents } from "../../src/db/schema-connect.ts";
import type { ClubSpec } from "../../src/sandbox/club.ts";
import type { StravaEvent } from "../../src/sandbox/event-delivery.ts";
import { createTestApi, type TestApi } from "./api.ts";
import { emptyDb } from "./database.ts";
import type { TestEngine, TestEngineOptions } from "./engine.ts";
import { dailyRuns, heldRaces, PLENTY, syncToEnd } from "./syncs.ts";

/** Where Strava reaches the daemon of these tests. */
export const PUBLIC_URL = "https://club.example";

/** A daemon whose callback Strava reaches, and how Strava does. */
export type ReachableApi = TestApi & {
  /** Every request that Strava sent to the daemon. */
  readonly received: Request[];
  /** Replaces what happens between Strava and the daemon; by default, the daemon answers. */
  line: (request: Request, answer: () => Promise<Response>) => Promise<Response>;
};

/**
 * The whole API on the real engine, reached by the sandbox as Strava would reach it. Nothing is subscribed yet.
 * @param options.reachable false: no public address is configured.
 */
export function reachableApi(
  options: TestEngineOptions & {
    readonly club?: ClubSpec;
    readonly withoutStrava?: boolean;
    readonly reachable?: false;
  } = {},
): ReachableApi {
  const { sandbox, club = { athletes: 1, activitiesEach: 30, racesEach: 10 }, reachable, ...rest } = options;
  const received: Request[] = [];
  const test = createTestApi({
    db: emptyDb(),
    ...(reachable === false ? {} : { publicUrl: PUBLIC_URL }),
    // No job runs by itself: what happens without one is what is tested.
    started: false,
    ...rest,
    sandbox: {
      quota: PLENTY,
      club,
      deliver: (request) => {
        received.push(request.clone());
        return self.line(request, () => self.api.fetch(request));
      },
      ...sandbox,
    },
  });
  const self: ReachableApi = { ...test, received, line: (_request, answer) => answer() };
  return self;
}

/** One that has subscribed. */
export async function subscribedApi(options: Parameters<typeof reachableApi>[0] = {}): Promise<ReachableApi> {
  const self = reachableApi(options);
  await passing(self.engine, self.engine.events.subscription.keep());
  if (self.engine.sandbox.subscription() === undefined) throw new Error("Nothing was subscribed");
  return self;
}

/** A club of one, whose only race among five runs is the newest. */
export const ONE_RACE = { athletes: [{ activities: dailyRuns(5, [0]) }] };

/** One that has subscribed and holds what the list shows, ONE_RACE's unless given; what Strava was asked for that is forgotten. */
export async function inStepApi(
  options: Parameters<typeof reachableApi>[0] = {},
): Promise<ReachableApi & { readonly raceId: number }> {
  const self = await subscribedApi({ club: ONE_RACE, ...options });
  await syncToEnd(self.engine);
  self.engine.sandbox.clearLedger();
  return Object.assign(self, { raceId: heldRaces(self.engine)[0]?.stravaActivityId ?? 0 });
}

/** Waits for a promise, letting turns of the event loop pass, and time where it takes some. */
export async function passing<T>(engine: Pick<TestEngine, "clock">, promise: Promise<T>, limitMs = 60_000): Promise<T> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let passedMs = 0; passedMs <= limitMs; passedMs += STEP_MS) {
    await engine.clock.advance(passedMs === 0 ? 0 : STEP_MS);
    if (isSettled) return promise;
  }
  throw new Error(`It did not come about within ${limitMs / 1_000} s of simulated time`);
}
const STEP_MS = 10;

/** What Strava posts to the daemon, whatever it is; answered with its status. */
export async function deliver(test: ReachableApi, body: string | Partial<StravaEvent>): Promise<number | undefined> {
  return (await passing(test.engine, test.engine.sandbox.sendEvent(body))).status;
}

/** The path at which the daemon listens to Strava. */
export function callbackPath({ engine }: Pick<TestApi, "engine">): string {
  const subscription = engine.sandbox.subscription();
  if (subscription === undefined) throw new Error("Nothing is subscribed");
  return new URL(subscription.callbackUrl).pathname;
}

/** Every event in the inbox, the first that came first. */
export const inboxOf = ({ db }: Pick<TestEngine, "db">): StravaEventRow[] =>
  db.select().from(stravaEvents).orderBy(stravaEvents.id).all();

/** What came of each event; null: it is open. */
export const outcomesOf = (engine: Pick<TestEngine, "db">): (string | null)[] =>
  inboxOf(engine).map((event) => event.outcome);

/** Details that Strava was asked for, of one activity or of all. */
export const looksAt = ({ sandbox }: Pick<TestEngine, "sandbox">, activityId?: number): number =>
  sandbox
    .ledger()
    .filter((entry) => entry.kind === "detail" && (activityId === undefined || entry.activityId === activityId)).length;
