import { seededDice } from "../core/dice.ts";
import { generateClub } from "./club.ts";
import { answerControl } from "./control.ts";
import { readRecording } from "./recording.ts";
import type { Sandbox, SandboxOptions } from "./sandbox-contract.ts";
import { Strava } from "./strava.ts";

export type { Sandbox, SandboxOptions } from "./sandbox-contract.ts";

/** Builds a sandbox. @throws RecordingError when a recording's folder holds no list of activities. */
export function createSandbox(options: SandboxOptions): Sandbox {
  const nowMs = options.clock.nowMs() + (options.skewMs ?? 0);
  const members =
    "folder" in options.club ? readRecording(options.club) : generateClub(options.club, { seed: options.seed, nowMs });
  const strava = new Strava(options, members, seededDice(options.seed ^ STRAVA_DICE));
  const { truth, grants, faults, ledger, quota, webhooks } = strava;
  const sandbox: Sandbox = {
    fetch: (request) => {
      const control = answerControl(request, sandbox, options.moveClock);
      return control ?? strava.answer(request);
    },
    athletes: () => grants.athletes(),
    activities: (stravaId) => truth.newestFirst(stravaId),
    detail: (activityId) => truth.detail(activityId),
    addActivity: (stravaId, patch = {}) => truth.add(stravaId, patch, strava.nowMs()),
    updateActivity: (activityId, patch) => truth.update(activityId, patch),
    deleteActivity: (activityId) => truth.remove(activityId),
    shortenPage: (stravaId, short) => truth.shortenPage(stravaId, { perPage: 200, ...short }),
    injectFault: (rule) => faults.add(rule, strava.nowMs()),
    clearFaults: () => faults.clear(),
    releaseHangs: () => strava.hangs.release(),
    ledger: () => ledger.entries(),
    clearLedger: () => ledger.clear(),
    setQuota: (limits) => quota.setLimits(limits),
    spendQuota: (spent) => quota.spend(strava.nowMs(), spent),
    otherClient: (habits) => strava.setOtherClient(habits),
    quota: () => quota.usage(strava.nowMs()),
    expireAccessToken: (stravaId) => grants.expireAccessTokens(stravaId),
    revokeGrant: (stravaId) => grants.revoke(stravaId),
    grantAgain: (stravaId, scope) => grants.grantAgain(stravaId, scope, strava.nowMs()),
    authorize: (stravaId, { scope = grants.scope(stravaId) } = {}) =>
      strava.codes.issue({ stravaId, scope }, strava.nowMs()),
    people: () => grants.people(),
    setCapacity: (athletes, refuseAt = "authorization") => strava.capacity.set(athletes, refuseAt),
    clubs: (stravaId) => [...strava.clubs.ids(stravaId)],
    setClubs: (stravaId, clubIds) => strava.clubs.set(grants.person(stravaId).stravaId, clubIds),
    subscription: () => webhooks.subscriptions.current(),
    events: () => webhooks.delivery.sent(),
    setDelivery: (levers) => webhooks.delivery.setLevers(levers),
    releaseEvents: (order = "in_order") => webhooks.delivery.release(order),
    sendEvent: (body) => webhooks.delivery.sendNow(body),
    stop: () => webhooks.stop(),
    setWording: (wording) => strava.setWording(wording),
    setRotation: (isOn) => grants.setRotation(isOn),
  };
  return sandbox;
}

/** Keeps the dice of tokens and latency apart from those of the club. */
const STRAVA_DICE = 0x5742_a11d;
