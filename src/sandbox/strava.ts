import { seededDice } from "../core/dice.ts";
import { type Clock, type Dice, type EpochMs, epochMs, plusMs, SECOND_MS } from "../core/units.ts";
import type { SandboxActivity } from "./activity.ts";
import { ActivityStore } from "./activity-store.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { Hangs, waitOut } from "./answer-delay.ts";
import { answerApi } from "./api-answers.ts";
import { AthleteClubs } from "./athlete-clubs.ts";
import { AuthorizationCodes } from "./authorization-codes.ts";
import { type Call, readCall } from "./call.ts";
import { type CallbackLine, checkCallback } from "./callback-check.ts";
import { Capacity } from "./capacity.ts";
import type { Member } from "./club.ts";
import { EventDelivery } from "./event-delivery.ts";
import { deauthorization, eventsOfChange } from "./event-rules.ts";
import { connectionReset, faultyAnswer, showsRateHeaders, spoilAnswer } from "./fault-effects.ts";
import { type FaultAction, Faults } from "./faults.ts";
import { Ledger, type LedgerEntry, type RequestKind } from "./ledger.ts";
import { answerOAuth } from "./oauth-answers.ts";
import type { Application } from "./oauth-world.ts";
import { QuotaWindows } from "./quota-windows.ts";
import { rollDurationMs } from "./roll-duration.ts";
import type { SandboxOptions } from "./sandbox-contract.ts";
import { RATE_LIMIT_EXCEEDED } from "./strava-errors.ts";
import { answerSubscription } from "./subscription-answers.ts";
import { Subscriptions } from "./subscriptions.ts";
import { type Access, TokenGrants } from "./token-grants.ts";

/** The machine behind a sandbox: one application's quota, its athletes' grants and activities, and what goes wrong. */
export class Strava {
  readonly truth: ActivityStore;
  readonly grants: TokenGrants;
  readonly codes: AuthorizationCodes;
  readonly capacity = new Capacity();
  readonly clubs = new AthleteClubs();
  readonly faults = new Faults();
  readonly ledger = new Ledger();
  readonly quota = new QuotaWindows();
  readonly hangs = new Hangs();
  readonly subscriptions = new Subscriptions();
  readonly events: EventDelivery;
  readonly #options: SandboxOptions;
  readonly #application: Application;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #line: CallbackLine;
  readonly #end = new AbortController();
  #date = { second: Number.NaN, text: "" };

  constructor(options: SandboxOptions, members: readonly Member[], dice: Dice) {
    this.#options = options;
    this.#clock = options.clock;
    this.#dice = dice;
    this.truth = new ActivityStore(members, dice, (before, after) => this.#tell(before, after));
    this.grants = new TokenGrants(dice, {
      rotate: options.rotateRefreshTokens ?? false,
      onRevoked: (stravaId) => this.events.send(deauthorization(stravaId)),
    });
    this.codes = new AuthorizationCodes(dice);
    for (const member of members) {
      this.grants.enrol(member);
      if (member.isConnected) this.grants.connect(member.stravaId, member.scope, this.nowMs());
      this.clubs.set(member.stravaId, member.clubs);
    }
    this.#application = {
      clientId: options.clientId ?? "12345",
      clientSecret: options.clientSecret ?? "sandbox-secret",
      wrongClientStatus: options.wrongClientStatus ?? 401,
      callbackDomain: options.callbackDomain,
    };
    this.#line = {
      clock: options.clock,
      dice: seededDice(options.seed ^ EVENT_DICE),
      deliver: options.deliver ?? refuseDelivery,
      callOff: this.#end.signal,
    };
    this.events = new EventDelivery(this.#line, this.subscriptions, () => this.nowMs());
    if (options.quota !== undefined) this.quota.setLimits(options.quota);
  }

  /** What time Strava has. */
  nowMs(): EpochMs {
    const nowMs = this.#clock.nowMs();
    return this.#options.skewMs === undefined ? nowMs : plusMs(nowMs, this.#options.skewMs);
  }

  /**
   * Answers one request. @throws TypeError with code ECONNRESET where a fault resets the connection, and the signal's
   * reason where the client gave up waiting.
   */
  async answer(request: Request): Promise<Response> {
    request.signal.throwIfAborted();
    const call = await readCall(request);
    const entry = this.#enter(call);
    const fault = this.faults.take(entry);
    if (fault !== undefined) entry.faultId = fault.id;
    const action = fault?.action;

    if (action?.type === "reset") throw connectionReset();
    if (action?.type === "hang") await this.hangs.wait(request.signal);
    const headers: Record<string, string> = {};
    const given =
      call.kind === "subscription"
        ? await this.#subscribe(call, entry, action, headers)
        : this.#act(call, entry, action, headers);
    const answer = spoilAnswer(given, action, entry.stravaId);

    const delayMs = this.#latencyMs() + (action?.type === "slow" ? action.ms : 0);
    if (delayMs > 0) await waitOut(this.#clock, delayMs, request.signal);
    if (action?.type === "lost_response") throw connectionReset();
    entry.isDelivered = true;
    if (answer.headers !== undefined) Object.assign(headers, answer.headers);
    headers["Content-Type"] ??= answer.contentType;
    headers.Date ??= this.#dateText();
    // A 204 must have no body, not even an empty one.
    return new Response(answer.status === 204 ? null : answer.text, { status: answer.status, headers });
  }

  /** Calls off what is on its way to the application; nothing more is sent to it. */
  stop(): void {
    this.#end.abort();
  }

  #enter(call: Call): LedgerEntry {
    const stravaId = this.#access(call)?.stravaId ?? this.#ownerOfToken(call);
    const entry: LedgerEntry = {
      atMs: this.nowMs(),
      method: call.method,
      path: call.path,
      kind: call.kind,
      ...(stravaId === undefined ? undefined : { stravaId }),
      ...(call.activityId === undefined ? undefined : { activityId: call.activityId }),
      ...(call.page === undefined ? undefined : { page: call.page }),
      status: 0,
      isCounted: false,
      isDelivered: false,
    };
    this.ledger.add(entry);
    return entry;
  }

  /** Counts the request, acts on it unless refused or a fault stands before, and fills in the rate headers. */
  #act(call: Call, entry: LedgerEntry, action: FaultAction | undefined, headers: Record<string, string>): Answer {
    const nowMs = this.nowMs();
    // Without a good token Strava cannot tell whose quota it is.
    const access = this.#access(call);
    entry.isCounted = access !== undefined && !FREE_KINDS.has(call.kind);
    const isRead = call.kind !== "upload";
    const hasRoom = !entry.isCounted || this.quota.count(nowMs, { isRead });
    if (entry.isCounted && showsRateHeaders(action)) this.quota.writeHeaders(headers, nowMs, { isRead });
    const answer = faultyAnswer(action, headers) ?? (hasRoom ? this.#reply(call, access, nowMs) : TOO_MANY);
    entry.status = answer.status;
    return answer;
  }

  /** As `#act` does, but uncounted, and asking the application back. */
  async #subscribe(call: Call, entry: LedgerEntry, action: FaultAction | undefined, headers: Record<string, string>) {
    const answer =
      faultyAnswer(action, headers) ??
      (await answerSubscription(call, {
        application: this.#application,
        subscriptions: this.subscriptions,
        checkCallback: (callback) => checkCallback(callback, this.#line),
        nowMs: () => this.nowMs(),
      }));
    entry.status = answer.status;
    return answer;
  }

  #reply(call: Call, access: Access | undefined, nowMs: EpochMs): Answer {
    switch (call.kind) {
      case "authorize":
      case "token":
      case "revoke":
      case "deauthorize": {
        const { grants, codes, capacity } = this;
        return answerOAuth(call, { application: this.#application, grants, codes, capacity, nowMs });
      }
      default: {
        const { truth, grants, clubs } = this;
        const beforeInclusive = this.#options.beforeInclusive ?? false;
        return answerApi(call, access, { truth, grants, clubs, beforeInclusive, nowMs });
      }
    }
  }

  #tell(before: SandboxActivity | undefined, after: SandboxActivity | undefined): void {
    const owner = (after ?? before)?.athlete.id;
    if (owner === undefined || this.subscriptions.current() === undefined) return;
    for (const draft of eventsOfChange(before, after, this.grants.liveScopes(owner))) this.events.send(draft);
  }

  #access(call: Call): Access | undefined {
    return call.bearer === undefined ? undefined : this.grants.access(call.bearer, this.nowMs());
  }

  #ownerOfToken(call: Call): number | undefined {
    const { code, refresh_token: refreshToken, token = refreshToken } = call.form;
    if (token !== undefined) return this.grants.ownerOf(token);
    return code === undefined ? undefined : this.codes.peek(code, this.nowMs())?.stravaId;
  }

  #latencyMs(): number {
    const { latencyMs = 0 } = this.#options;
    return typeof latencyMs === "function" ? latencyMs(this.#dice) : rollDurationMs(this.#dice, latencyMs);
  }

  #dateText(): string {
    const second = Math.floor(this.nowMs() / SECOND_MS);
    if (second !== this.#date.second)
      this.#date = { second, text: new Date(epochMs(second * SECOND_MS)).toUTCString() };
    return this.#date.text;
  }
}

/** What Strava answers without rate headers (R 2018, stravalib, endurain #436): taken for uncounted. */
const FREE_KINDS: ReadonlySet<RequestKind> = new Set<RequestKind>(["authorize", "token", "revoke"]);

/** Keeps the dice of events apart, so that events change nothing else. */
const EVENT_DICE = 0x0e7e_a7ed;

const refuseDelivery = (): Promise<never> =>
  Promise.reject(new TypeError("this sandbox was given no way to call back"));

const TOO_MANY = jsonAnswer(429, RATE_LIMIT_EXCEEDED);
