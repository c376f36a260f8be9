import { seededDice } from "../core/dice.ts";
import { type Clock, type Dice, type EpochMs, epochMs, plusMs, SECOND_MS } from "../core/units.ts";
import { ActivityStore } from "./activity-store.ts";
import type { Answer } from "./answer.ts";
import { Hangs, waitOut } from "./answer-delay.ts";
import { answerApi } from "./api-answers.ts";
import { AthleteClubs } from "./athlete-clubs.ts";
import { AuthorizationCodes } from "./authorization-codes.ts";
import { type Call, readCall } from "./call.ts";
import { Capacity } from "./capacity.ts";
import type { Member } from "./club.ts";
import { connectionReset, faultyAnswer, showsRateHeaders, spoilAnswer, spoilHeaders } from "./fault-effects.ts";
import { type FaultAction, Faults } from "./faults.ts";
import { Ledger, type LedgerEntry, type RequestKind } from "./ledger.ts";
import { answerOAuth } from "./oauth-answers.ts";
import type { Application } from "./oauth-world.ts";
import { OtherClient, type OtherClientHabits } from "./other-client.ts";
import { QuotaWindows } from "./quota-windows.ts";
import { rollDurationMs } from "./roll-duration.ts";
import type { SandboxOptions } from "./sandbox-contract.ts";
import { type Access, TokenGrants } from "./token-grants.ts";
import { Webhooks } from "./webhooks.ts";
import { tooManyAnswer, WORDING_DEFAULT, type Wording } from "./wording.ts";

/** The machine behind a sandbox: one application's quota, its athletes' grants and activities, and what goes wrong. */
export class Strava {
  readonly truth: ActivityStore;
  readonly grants: TokenGrants;
  readonly codes: AuthorizationCodes;
  readonly capacity = new Capacity();
  readonly clubs = new AthleteClubs();
  readonly faults: Faults;
  readonly ledger = new Ledger();
  readonly quota = new QuotaWindows();
  readonly hangs = new Hangs();
  readonly webhooks: Webhooks;
  readonly #options: SandboxOptions;
  readonly #application: Application;
  readonly #clock: Clock;
  readonly #dice: Dice;
  #wording: Wording;
  #date = { second: Number.NaN, text: "" };

  constructor(options: SandboxOptions, members: readonly Member[], dice: Dice) {
    this.#options = options;
    this.#clock = options.clock;
    this.#dice = dice;
    this.webhooks = new Webhooks(options, () => this.nowMs());
    this.truth = new ActivityStore(members, dice, (before, after) =>
      this.webhooks.tellChange(before, after, (stravaId) => this.grants.liveScopes(stravaId)),
    );
    this.grants = new TokenGrants(dice, {
      rotate: options.rotateRefreshTokens ?? false,
      onRevoked: (stravaId) => this.webhooks.tellRevoked(stravaId),
    });
    this.codes = new AuthorizationCodes(dice);
    for (const member of members) {
      this.grants.enrol(member);
      if (member.isConnected) this.grants.connect(member.stravaId, member.scope, this.nowMs());
      this.clubs.set(member.stravaId, member.clubs);
    }
    this.#wording = { ...WORDING_DEFAULT, ...options.wording };
    this.#application = {
      clientId: options.clientId ?? "12345",
      clientSecret: options.clientSecret ?? "sandbox-secret",
      wrongClientStatus: options.wrongClientStatus ?? 401,
      callbackDomain: options.callbackDomain,
    };
    this.faults = new Faults(seededDice(options.seed ^ FAULT_DICE));
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
    if (this.#options.travelMs !== undefined) {
      await waitOut(this.#clock, rollDurationMs(this.#dice, this.#options.travelMs), request.signal);
    }
    const call = await readCall(request, this.#options.apiPath ?? "/api/v3");
    const entry = this.#enter(call);
    const fault = this.faults.take(entry, entry.atMs);
    if (fault !== undefined) entry.faultId = fault.id;
    const action = fault?.action;

    if (action?.type === "reset") throw connectionReset(action.code);
    if (action?.type === "hang") await this.hangs.wait(request.signal);
    const headers: Record<string, string> = {};
    const given =
      call.kind === "subscription"
        ? await this.#subscribe(call, entry, action, headers)
        : this.#act(call, entry, action, headers);
    const answer = spoilAnswer(given, action, entry);

    const delayMs = this.#latencyMs() + (action?.type === "slow" ? action.ms : 0);
    if (delayMs > 0) await waitOut(this.#clock, delayMs, request.signal);
    if (action?.type === "lost_response") throw connectionReset();
    entry.isDelivered = true;
    if (answer.headers !== undefined) Object.assign(headers, answer.headers);
    headers["Content-Type"] ??= answer.contentType;
    headers.Date ??= this.#dateText();
    spoilHeaders(headers, action);
    // A 204 must have no body, not even an empty one.
    return new Response(answer.status === 204 ? null : answer.text, { status: answer.status, headers });
  }

  setWording(wording: Partial<Wording>): void {
    this.#wording = { ...this.#wording, ...wording };
  }

  setOtherClient(habits: OtherClientHabits): void {
    const nowMs = this.nowMs();
    // What the one before it did until now stays spent.
    this.quota.usage(nowMs);
    const seed = this.#options.seed ^ OTHER_CLIENT_DICE;
    this.quota.setOtherClient(new OtherClient(habits, { seed, nowMs }));
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
    const answer =
      faultyAnswer(action, headers) ?? (hasRoom ? this.#reply(call, access, nowMs) : tooManyAnswer(this.#wording));
    entry.status = answer.status;
    return answer;
  }

  /** As `#act` does, but uncounted, and asking the application back. */
  async #subscribe(call: Call, entry: LedgerEntry, action: FaultAction | undefined, headers: Record<string, string>) {
    const answer = faultyAnswer(action, headers) ?? (await this.webhooks.answer(call, this.#application));
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
        const { beforeInclusive = false, refuseFutureBefore = false } = this.#options;
        const wording = this.#wording;
        return answerApi(call, access, { truth, grants, clubs, wording, beforeInclusive, refuseFutureBefore, nowMs });
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

/** Keep the dice of faults and of another client apart, so that neither changes anything else. */
const FAULT_DICE = 0x0fa1_1edd;
const OTHER_CLIENT_DICE = 0x0c1e_471d;
