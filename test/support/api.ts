import { keepChannels } from "../../src/alerts/keep-channels.ts";
import { type Api, createApi } from "../../src/api/api.ts";
import { createAuth, hashToken } from "../../src/api/auth.ts";
import { type Fetch, MINUTE_MS } from "../../src/core/units.ts";
import { insertAdminToken } from "../../src/db/admin-tokens.ts";
import type { Scope } from "../../src/db/schema-books.ts";
import { createPing } from "../../src/health/ping.ts";
import { watchMonitor } from "../../src/health/watch.ts";
import { createScheduler, type Job, type Scheduler } from "../../src/scheduler/scheduler.ts";
import { revokeGrants } from "../../src/sync/athletes/revoke-grants.ts";
import type { ConnectRules } from "../../src/sync/athletes/sign-in.ts";
import type { SyncContext } from "../../src/sync/context.ts";
import { assembleEvents } from "../../src/sync/events/assemble-events.ts";
import { forecastSyncs } from "../../src/sync/requests/forecast-syncs.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "./engine.ts";
import { incidentConfigOf } from "./exports.ts";

export const ADMIN_TOKEN = "admin-token-of-the-test";
export const RUNTIME_TOKEN = "runtime-token-of-the-test";

/** So much time passes at once while a page is waited for. */
const STEP_MS = 50;

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what a test asks.
  readonly body: any;
};

export type TestApi = {
  readonly api: Api;
  readonly engine: TestEngine;
  readonly scheduler: Scheduler;
  get(path: string, options?: CallOptions): Promise<Answer>;
  post(path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  patch(path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  delete(path: string, options?: CallOptions): Promise<Answer>;
  /** Opens a page as a browser does, without a token; time passes until it is there, at most so long. */
  visit(address: string, limitMs?: number): Promise<Answer>;
  /** Lets time pass until something is done, at most so long. */
  passing<T>(work: Promise<T>, limitMs?: number): Promise<T>;
  /** A token of the table, with this scope. */
  token(scope: Scope, expiresInMs?: number): string;
  /** Lets the engine work until nothing is in progress, at most so long. */
  settle(limitMs?: number): Promise<void>;
};
/** `token: null` sends none. */
export type CallOptions = { readonly token?: string | null; readonly headers?: Readonly<Record<string, string>> };

/** The whole API on the real engine: only the clock, the dice and Strava are the test's. */
export function createTestApi(
  options: TestEngineOptions & {
    readonly withoutStrava?: boolean;
    readonly started?: boolean;
    readonly ping?: { readonly url: string; readonly fetch: Fetch };
    readonly jobs?: readonly Job[];
    readonly isMetricsPublic?: boolean;
    readonly connect?: Partial<ConnectRules>;
  } = {},
): TestApi {
  const engine = createTestEngine(options);
  const { clock, db } = engine;
  const context: SyncContext = options.withoutStrava ? { ...engine.context, strava: undefined } : engine.context;
  const ping = options.ping === undefined ? undefined : createPing({ ...options.ping, clock, log: engine.context.log });
  const monitor = watchMonitor(engine.context, engine.monitor, {
    periodMs: options.health?.periodMs ?? MINUTE_MS,
    ping,
    schedule: () => scheduler,
  });
  const scheduler: Scheduler = createScheduler({
    clock,
    timezone: "UTC",
    recorder: { ran: () => {}, skipped: () => {} },
    jobs: [
      {
        job: "processor",
        pattern: "* * * * *",
        catchUp: "skip",
        lastRunAtMs: null,
        run: () => engine.processor.tick(),
      },
      {
        job: "health-check",
        pattern: "* * * * *",
        catchUp: "skip",
        lastRunAtMs: null,
        run: async () => void (await monitor.tick()),
      },
      {
        job: "revoke-grants",
        pattern: "* * * * *",
        catchUp: "skip",
        lastRunAtMs: null,
        run: () => revokeGrants(engine.context, engine.seal),
      },
      { job: "full_sync", pattern: "", catchUp: "skip", lastRunAtMs: null, run: () => {} },
      ...(options.jobs ?? []),
    ],
  });
  if (options.started !== false) scheduler.start();
  let made = 0;
  const quotaRules = {
    headroom: options.headroom ?? 0,
    reserve: typeof options.reserve === "object" ? options.reserve : { requests: options.reserve ?? 0 },
  };
  const api = createApi({
    context,
    processor: engine.processor,
    events: options.withoutStrava
      ? assembleEvents(context, { ...engine, randomBytes: (count) => new Uint8Array(count).fill(1) })
      : engine.events,
    monitor,
    ping,
    thresholds: engine.thresholds,
    alerts: engine.alerts,
    channels: keepChannels(context, {
      seal: engine.seal,
      randomBytes: (count) => new Uint8Array(count).fill(++made),
    }),
    scheduler,
    healthJob: "health-check",
    processorJob: "processor",
    revokeJob: "revoke-grants",
    quotaRules,
    forecast: () => forecastSyncs(context, { quotaRules, requestsInFlight: options.requestsInFlight ?? 8 }),
    incidentConfig: () => incidentConfigOf(engine),
    connectRules: { mode: "open", clubId: undefined, athleteCapacity: undefined, ...options.connect },
    auth: createAuth({
      context,
      fixedTokens: [
        { token: ADMIN_TOKEN, actor: "admin" },
        { token: RUNTIME_TOKEN, actor: "runtime" },
      ],
    }),
    randomBytes: (count) => new Uint8Array(count).fill(++made),
    traceUrl: (traceId) => `https://traces.test/${traceId}`,
    version: "1.2.3",
    readProcess: () => ({ residentBytes: 50_000_000, cpuSeconds: 1.5, openFiles: 20 }),
    isMetricsPublic: options.isMetricsPublic ?? false,
  });

  async function call(method: string, path: string, body: unknown, { token, headers }: CallOptions): Promise<Answer> {
    const authorization = token === null ? {} : { authorization: `Bearer ${token ?? ADMIN_TOKEN}` };
    const request = new Request(`http://localhost${path}`, {
      method,
      headers: { ...authorization, ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return readAnswer(await api.fetch(request));
  }

  async function passing<T>(work: Promise<T>, limitMs = 2 * MINUTE_MS): Promise<T> {
    let isSettled = false;
    const settled = work.finally(() => {
      isSettled = true;
    });
    // Whoever awaits it hears of a failure; until then it is nobody's.
    settled.catch(() => {});
    for (let passedMs = 0; !isSettled && passedMs <= limitMs; passedMs += STEP_MS) await clock.advance(STEP_MS);
    if (!isSettled) throw new Error(`It did not end within ${limitMs / 1_000} s of simulated time`);
    return settled;
  }

  async function readAnswer(response: Response): Promise<Answer> {
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }

  return {
    api,
    engine,
    scheduler,
    get: (path, how = {}) => call("GET", path, undefined, how),
    post: (path, body, how = {}) => call("POST", path, body, how),
    patch: (path, body, how = {}) => call("PATCH", path, body, how),
    delete: (path, how = {}) => call("DELETE", path, undefined, how),
    visit(address, limitMs) {
      const { pathname, search } = new URL(address, "http://localhost");
      return passing(call("GET", pathname + search, undefined, { token: null }), limitMs);
    },
    passing,
    token(scope, expiresInMs) {
      const token = `token-of-${scope}-${++made}`;
      const nowMs = clock.nowMs();
      const expiresAtMs = expiresInMs === undefined ? null : ((nowMs + expiresInMs) as typeof nowMs);
      insertAdminToken(db, { label: scope, scope, tokenHash: hashToken(token), nowMs, expiresAtMs });
      return token;
    },
    async settle(limitMs = 30 * MINUTE_MS) {
      const isIdle = () => db.$client.query("SELECT 1 FROM syncs WHERE status = 'in_progress'").get() === null;
      for (let passedMs = 0; passedMs < limitMs && !isIdle(); passedMs += 1_000) await clock.advance(1_000);
    },
  };
}
