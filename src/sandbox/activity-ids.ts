/**
 * An id as Strava would give it to an activity uploaded then: ids follow upload order. The line goes through two
 * recorded ones, 9982078502 (2023-10-05) and 16195505756 (2025-10-19); before Strava's time it stays positive.
 */
export function activityIdAt(uploadedAtMs: number): number {
  const seconds = uploadedAtMs / 1_000;
  const onLine = 16_195_505_756 + (seconds - 1_760_904_000) * 96.5;
  return Math.floor(Math.max(1_000_000 + Math.max(0, seconds), onLine));
}
