import type { TokenGrants } from "./token-grants.ts";

/** An athlete as GET /athlete and the token exchange show them; the person is invented. */
export function summariseAthlete(stravaId: number, grants: TokenGrants): Record<string, unknown> {
  const { firstName, lastName } = grants.person(stravaId);
  return {
    id: stravaId,
    username: null,
    resource_state: 2,
    firstname: firstName,
    lastname: lastName,
    bio: null,
    city: null,
    state: null,
    country: null,
    sex: null,
    premium: false,
    summit: false,
    created_at: "2017-11-14T02:30:05Z",
    updated_at: "2025-10-01T19:32:56Z",
    badge_type_id: 0,
    weight: null,
    profile_medium: "avatar/athlete/medium.png",
    profile: "avatar/athlete/large.png",
    friend: null,
    follower: null,
  };
}
