/** What an application may ask an athlete for, in the words of the sandbox's authorize page. */
export const SCOPES = {
  read: "See your public profile and what everybody can see",
  read_all: "See your private routes, segments and events",
  "profile:read_all": "See all of your profile, hidden parts too",
  "profile:write": "Change your weight, your zones and your starred segments",
  "activity:read": "See your activities that everybody or your followers can see",
  "activity:read_all": "See all of your activities, private ones and hidden places too",
  "activity:write": "Add activities, and change what it may see",
} as const;

export type Scope = keyof typeof SCOPES;

/** Cannot be unticked. */
export const SCOPE_ALWAYS_GIVEN: Scope = "read";

export function isScope(text: string): text is Scope {
  return Object.hasOwn(SCOPES, text);
}

/** Takes scopes apart; commas are Strava's way, spaces are OAuth's. */
export function readScopes(text: string): string[] {
  return text.split(/[ ,]+/).filter((scope) => scope !== "");
}
