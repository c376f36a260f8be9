import { refuse } from "./problem.ts";

/** An id in a path, as a number; undefined for what can be no id of ours, so that it is as unknown as any other. */
export function parseId(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

/** 404: there is no such thing, or there is one no more. `code` is `athlete_unknown` and the like. */
export function unknownThing(what: "athlete" | "sync" | "finding" | "race" | "token" | "invite" | "channel") {
  return refuse(404, `${what}_unknown`, `There is no ${what} of that id. ${WHERE_TO_LOOK[what]}`);
}

const WHERE_TO_LOOK = {
  athlete: "GET /api/admin/athletes lists them.",
  sync: "GET /api/admin/syncs lists them; history is kept for a limited time.",
  finding: "GET /api/admin/health/findings lists them; settled ones are kept for a limited time.",
  race: "GET /api/admin/races lists them.",
  token: "GET /api/admin/tokens lists them.",
  invite: "GET /api/admin/invites lists them.",
  channel: "GET /api/admin/alerts/channels lists them.",
} as const;
