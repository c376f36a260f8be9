/**
 * A count in a column as SQL, ready to be added to. A hand may have written any integer there: beyond what integers hold, the sum
 * would be a REAL, which no such column takes, and the whole statement would fail.
 */
export const countIn = (column: string): string => `min(max(${column}, 0), ${LARGEST_COUNT})`;

/** More than anything here ever counts. */
const LARGEST_COUNT = 1_000_000_000_000;
