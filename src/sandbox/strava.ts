import { type Clock, type Dice, type EpochMs, epochMs, plusMs, SECOND_MS } from "../core/units.ts";
import { ActivityStore } from "./activity-store.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { answerApi } from "./api-answers.ts";
import { AthleteClubs } from "./athlete-clubs.ts";
import { AuthorizationCodes } from "./authorization-codes.ts";
import { type Call, readCall } from "./call.ts";
import { Capacity } from "./capacity.ts";
import type { Member } from "./club.ts";
import { connectionReset, faultyAnswer, showsRateHeaders, spoilAnswer } from "./fault-effects.ts";
import { type FaultAction, Faults } from "./faults.ts";
import { Ledger, type LedgerEntry, type RequestKind } from "./ledger.ts";
import { answerOAuth } from "./oauth-answers.ts";
import type { Application } from "./oauth-world.ts";
import { QuotaWindows } from "./quota-windows.ts";
import type { SandboxOptions } from "./sandbox-contract.ts";
import { RATE_LIMIT_EXCEEDED } from "./strava-errors.ts";
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
  readonly #options: SandboxOptions;
  readonly #application: Application;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #releases = new Set<() => void>();
  #date = { second: Number.NaN, text: "" };

  constructor(options: SandboxOptions, members: readonly Member[], dice: Dice) {
    this.#options = options;
    this.#clock = options.clock;
    this.#dice = dice;
    this.truth = new ActivityStore(members, dice);
    this.grants = new TokenGrants(dice, { rotate: options.rotateRefreshTokens ?? false });
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
    if (action?.type === "hang") await this.#waitForRelease(request.signal);
    const headers: Record<string, string> = {};
    const answer = spoilAnswer(this.#act(call, entry, action, headers), action, entry.stravaId);

    const delayMs = this.#latencyMs() + (action?.type === "slow" ? action.ms : 0);
    if (delayMs > 0) await this.#wait(delayMs, request.signal);
    if (action?.type === "lost_response") throw connectionReset();
    entry.isDelivered = true;
    if (answer.headers !== undefined) Object.assign(headers, answer.headers);
    headers["Content-Type"] ??= answer.contentType;
    headers.Date ??= this.#dateText();
    return new Response(answer.text, { status: answer.status, headers });
  }

  releaseHangs(): number {
    const releases = [...this.#releases];
    for (const release of releases) release();
    return releases.length;
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

  #access(call: Call): Access | undefined {
    return call.bearer === undefined ? undefined : this.grants.access(call.bearer, this.nowMs());
  }

  #ownerOfToken(call: Call): number | undefined {
    const { code, refresh_token: refreshToken, token = refreshToken } = call.form;
    if (token !== undefined) return this.grants.ownerOf(token);
    return code === undefined ? undefined : this.codes.peek(code, this.nowMs())?.stravaId;
  }

  #latencyMs(): number {
    const latency = this.#options.latencyMs;
    if (latency === undefined || typeof latency === "number") return latency ?? 0;
    if (typeof latency === "function") return latency(this.#dice);
    return latency.min + this.#dice() * (latency.max - latency.min);
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        cancel();
        reject(signal.reason);
      };
      const cancel = this.#clock.after(delayMs, () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      });
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  #waitForRelease(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const release = () => {
        this.#releases.delete(release);
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#releases.delete(release);
        reject(signal.reason);
      };
      this.#releases.add(release);
      signal.addEventListener("abort", giveUp, { once: true });
    });
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

const TOO_MANY = jsonAnswer(429, RATE_LIMIT_EXCEEDED);
