/** Limit and usage of one kind of requests, each as [quarter of an hour, day]. */
export type RateCounters = {
  readonly limit: readonly [quarter: number, day: number];
  readonly usage: readonly [quarter: number, day: number];
};

/**
 * What one answer's headers say about the application's quota. A pair that was missing or malformed is absent:
 * POST /activities shows no read pair, and some answers show neither.
 * @see https://developers.strava.com/docs/rate-limits
 */
export type RateObservation = {
  /** All requests. */
  readonly overall?: RateCounters;
  /** All but uploads: the pair that binds first. */
  readonly read?: RateCounters;
};
