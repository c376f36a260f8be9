/** What became of a race's detail. */
export type Enrichment =
  | "pending" // still to be fetched
  | "enriched" // Strava answered with the detail, it parsed, and it belongs to the athlete
  | "unavailable" // Strava says that this token cannot see it (404)
  | "failed"; // given up, with the reason

/** What a failed try of a race's detail leaves: it stays pending for another, or it has failed with its reason. */
export type AfterFailedTry = { readonly as: "retry" | "failed"; readonly attempts: number; readonly error: string };

/** Whether one more failed try of a race is its last. */
export function afterFailedTry(attemptsBefore: number, maxAttempts: number, error: string): AfterFailedTry {
  const attempts = attemptsBefore + 1;
  return { as: attempts >= maxAttempts ? "failed" : "retry", attempts, error };
}
