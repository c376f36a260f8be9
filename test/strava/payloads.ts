/** A summary as Strava lists it, made by hand after its reference; `changes` replaces fields, undefined removes one. */
export function rawActivity(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const raw: Record<string, unknown> = {
    resource_state: 2,
    athlete: { id: 4711, resource_state: 1 },
    name: "Harbour Ten",
    distance: 10012.3,
    moving_time: 2580,
    elapsed_time: 2591,
    total_elevation_gain: 41.5,
    type: "Run",
    sport_type: "Run",
    workout_type: 1,
    id: 16195505756,
    start_date: "2025-10-19T20:00:00Z",
    start_date_local: "2025-10-19T16:00:00Z",
    timezone: "(GMT-05:00) America/New_York",
    utc_offset: -14400.0,
    map: { id: "a16195505756", summary_polyline: "ki{eFvqfiV", resource_state: 2 },
    manual: false,
    private: false,
    visibility: "everyone",
    upload_id: 17279496051,
    ...changes,
  };
  for (const field of Object.keys(changes)) if (changes[field] === undefined) delete raw[field];
  return raw;
}
