/** The club that everybody is in who does not say otherwise. */
export const SANDBOX_CLUB_ID = 97_531;

/** Which of Strava's clubs each athlete is in: what GET /athlete/clubs answers. */
export class AthleteClubs {
  readonly #ids = new Map<number, readonly number[]>();

  set(stravaId: number, clubIds: readonly number[]): void {
    this.#ids.set(stravaId, clubIds);
  }

  ids(stravaId: number): readonly number[] {
    return this.#ids.get(stravaId) ?? [];
  }

  /** One page of the athlete's clubs, as summaries. @see https://developers.strava.com/docs/reference SummaryClub */
  page(stravaId: number, { page, perPage }: { page: number; perPage: number }): unknown[] {
    return this.ids(stravaId)
      .slice((page - 1) * perPage, page * perPage)
      .map(summariseClub);
  }
}

function summariseClub(id: number): Record<string, unknown> {
  return {
    id,
    resource_state: 2,
    name: id === SANDBOX_CLUB_ID ? "Sandbox Runners" : `Club ${id}`,
    profile_medium: "avatar/club/medium.png",
    profile: "avatar/club/large.png",
    cover_photo: null,
    cover_photo_small: null,
    activity_types: [],
    activity_types_icon: "sports_run_normal",
    dimensions: ["distance", "num_activities", "moving_time"],
    sport_type: "running",
    localized_sport_type: "Running",
    city: "",
    state: "",
    country: "",
    private: false,
    member_count: 5,
    featured: false,
    verified: false,
    url: `sandbox-club-${id}`,
    membership: "member",
    admin: false,
    owner: false,
  };
}
