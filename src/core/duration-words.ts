/** A duration as a person says it: whole seconds, minutes from two minutes on, hours from two hours on. */
export function sayDuration(durationMs: number): string {
  if (durationMs < 120_000) return `${Math.round(durationMs / 1_000)} s`;
  return durationMs < 7_200_000 ? `${Math.round(durationMs / 60_000)} min` : `${Math.round(durationMs / 3_600_000)} h`;
}
