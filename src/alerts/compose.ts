import type { AlertRuleName, Telling } from "../core/alert-rules.ts";
import type { EpochMs } from "../core/units.ts";
import type { AlertTroubleRow } from "../db/schema-alerts.ts";
import { redactText } from "../telemetry/redact.ts";
import type { AlertContent } from "./content.ts";

/** What there is to say of one trouble, or of several alike. */
export type Said = {
  readonly telling: Exclude<Telling, "settled" | "nothing">;
  readonly rule: AlertRuleName;
  readonly troubles: readonly AlertTroubleRow[];
};
export type Composing = {
  readonly id: string;
  readonly nowMs: EpochMs;
  /** An address of the API, as people reach it. */
  readonly linkTo: (path: string) => string;
  readonly traceUrl: (traceId: string) => string | null;
};

type Words = {
  /** One of them, and several: the number stands before the second. */
  readonly title: readonly [string, string];
  readonly over: readonly [string, string];
  readonly action: string;
  readonly path: (subject: string) => string;
};

const athletePath = (subject: string) => `/api/admin/athletes/${subject.replace("athlete:", "")}`;

const WORDS: Readonly<Record<AlertRuleName, Words>> = {
  stall_not_repaired: {
    title: ["A stalled sync is not repaired", "stalled syncs are not repaired"],
    over: ["A stalled sync moves again", "stalled syncs move again"],
    action: "Look at the sync's findings; applying a proposed remedy, or starting the sync anew, may help.",
    path: (subject) => `/api/admin/syncs/${subject.replace("sync:", "")}/findings`,
  },
  sync_failed: {
    title: ["A sync failed", "athletes' syncs failed"],
    over: ["An athlete's sync completed again", "athletes' syncs completed again"],
    action: 'To try again, start a new sync: "broomwagon sync" with the athlete\'s id, or one call of the API.',
    path: athletePath,
  },
  needs_reconnect: {
    title: ["An athlete needs to reconnect", "athletes need to reconnect"],
    over: ["An athlete is connected again", "athletes are connected again"],
    action: "Nobody but the athlete can mend it: send them the link. Their access is erased after 30 days.",
    path: athletePath,
  },
  app_inactive: {
    title: ["Strava refuses the application", "times Strava refuses the application"],
    over: ["Strava takes the application again", "times Strava takes the application again"],
    action: "See the application's settings at https://www.strava.com/settings/api, and the client id and secret here.",
    path: () => "/api/admin/quota",
  },
  quota_exhausted: {
    title: ["Strava's quota of the day is used up", "times the quota of the day is used up"],
    over: ["Strava's quota of the day is there again", "times the quota of the day is there again"],
    action:
      "Nothing has to be done: the syncs go on by themselves. If it happens often, ask Strava for a higher limit.",
    path: () => "/api/admin/quota",
  },
  monitor_silent: {
    title: ["The health monitor is silent", "times the health monitor is silent"],
    over: ["The health monitor checks again", "times the health monitor checks again"],
    action: "Nothing is found or mended meanwhile. See the daemon's log, and restart it.",
    path: () => "/api/admin/health",
  },
  backup_failed: {
    title: ["A backup failed", "backups failed"],
    over: ["Backups succeed again", "backups succeed again"],
    action: 'See the disk, and try "broomwagon backup FILE" by hand.',
    path: () => "/api/admin/schedule",
  },
};

/** So many of several are told in full. */
const TOLD_IN_FULL = 5;
const PREFIX = { alert: "", reminder: "Still: ", recovery: "" } as const;

/** Puts into words what is said. The texts of troubles are ours; what looks like a credential is cut out all the same. */
export function composeAlert({ telling, rule, troubles }: Said, composing: Composing): AlertContent {
  const words = WORDS[rule];
  const [first] = troubles;
  const isOne = troubles.length === 1;
  const [one, several] = telling === "recovery" ? words.over : words.title;
  const alone = isOne ? first : undefined;
  const traceId = alone?.traceId ?? null;
  return {
    id: composing.id,
    kind: telling,
    rule,
    subject: alone?.subject ?? null,
    title: `${PREFIX[telling]}${isOne ? one : `${troubles.length} ${several}`}`,
    text: redactText(telling === "recovery" ? overInWords(troubles) : inWords(troubles)),
    action: telling === "recovery" ? "Nothing has to be done." : words.action,
    url: composing.linkTo(alone === undefined ? "/api/admin/alerts/troubles" : words.path(alone.subject)),
    traceId,
    traceUrl: traceId === null ? null : composing.traceUrl(traceId),
    occurrences: troubles.reduce((sum, trouble) => sum + trouble.occurrences, 0),
    openedAtMs: alone?.openedAtMs ?? null,
    closedAtMs: telling === "recovery" ? (alone?.closedAtMs ?? null) : null,
    createdAtMs: composing.nowMs,
  };
}

/** What a test says. */
export function composeTest({ id, nowMs, linkTo }: Composing): AlertContent {
  return {
    id,
    kind: "test",
    rule: null,
    subject: null,
    title: "A test of Broomwagon's alerts",
    text: "Somebody asked for a test of this channel, and it works: alerts arrive here.",
    action: "Nothing has to be done.",
    url: linkTo("/api/admin/alerts/channels"),
    traceId: null,
    traceUrl: null,
    occurrences: 0,
    openedAtMs: null,
    closedAtMs: null,
    createdAtMs: nowMs,
  };
}

function inWords(troubles: readonly AlertTroubleRow[]): string {
  const sentences = troubles.slice(0, TOLD_IN_FULL).map(({ message, occurrences }) => {
    return occurrences > 1 ? `${message} (${occurrences} times so far.)` : message;
  });
  const left = troubles.length - sentences.length;
  return [...sentences, ...(left > 0 ? [`And ${left} more.`] : [])].join("\n");
}

function overInWords(troubles: readonly AlertTroubleRow[]): string {
  const told = troubles.slice(0, TOLD_IN_FULL).map(({ subject, openedAtMs, closedAtMs }) => {
    return `${nameOf(subject)}: from ${utc(openedAtMs)} to ${utc(closedAtMs ?? openedAtMs)} UTC.`;
  });
  const left = troubles.length - told.length;
  return ["It is over.", ...told, ...(left > 0 ? [`And ${left} more.`] : [])].join("\n");
}

/** `sync:7` is the sync 7; the application and the daemon are themselves. */
function nameOf(subject: string): string {
  const [kind = "", id] = subject.split(":");
  return id === undefined ? `The ${kind}` : `${kind === "sync" ? "Sync" : "Athlete"} ${id}`;
}

const utc = (atMs: EpochMs): string => new Date(atMs).toISOString().slice(0, 16).replace("T", " ");
