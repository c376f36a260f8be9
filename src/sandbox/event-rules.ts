import type { SandboxActivity } from "./activity.ts";

/** What Strava tells a subscriber, before it is addressed and dated. */
export type EventDraft = {
  readonly object_type: "activity" | "athlete";
  readonly object_id: number;
  readonly aspect_type: "create" | "update" | "delete";
  /** Values are texts, booleans too. */
  readonly updates: Readonly<Record<string, string>>;
  readonly owner_id: number;
};

/**
 * What an upload (no `before`), an edit or a deletion (no `after`) is worth telling to an application with these scopes.
 * An activity that its token cannot see does not exist for it: one that vanishes from its sight is told as deleted, one
 * that comes into sight as created. Of edits only title, type and privacy are told, the last to `activity:read_all`
 * alone; never race tags, descriptions, distances, maps.
 * @see https://developers.strava.com/docs/webhooks
 */
export function eventsOfChange(
  before: SandboxActivity | undefined,
  after: SandboxActivity | undefined,
  scopes: ReadonlySet<string>,
): EventDraft[] {
  const wasSeen = before !== undefined && isSeen(before, scopes);
  const isStillSeen = after !== undefined && isSeen(after, scopes);
  if (wasSeen && isStillSeen) {
    const updates = toldUpdates(before, after);
    return Object.keys(updates).length === 0 ? [] : [draft(after, "update", updates)];
  }
  if (isStillSeen) return [draft(after, "create")];
  return wasSeen ? [draft(before, "delete")] : [];
}

/** The athlete took the application's grant back. */
export function deauthorization(stravaId: number): EventDraft {
  return {
    object_type: "athlete",
    object_id: stravaId,
    aspect_type: "update",
    updates: { authorized: "false" },
    owner_id: stravaId,
  };
}

function isSeen({ visibility }: SandboxActivity, scopes: ReadonlySet<string>): boolean {
  return scopes.has("activity:read_all") || (scopes.has("activity:read") && visibility !== "only_me");
}

/** Privacy is told only to who sees both sides of it: to others it is a deletion or a creation. */
function toldUpdates(before: SandboxActivity, after: SandboxActivity): Record<string, string> {
  return {
    ...(after.name === before.name ? undefined : { title: after.name }),
    ...(after.sport_type === before.sport_type ? undefined : { type: after.type }),
    ...(after.private === before.private ? undefined : { private: String(after.private) }),
  };
}

function draft(activity: SandboxActivity, aspect: EventDraft["aspect_type"], updates = {}): EventDraft {
  return {
    object_type: "activity",
    object_id: activity.id,
    aspect_type: aspect,
    updates,
    owner_id: activity.athlete.id,
  };
}
