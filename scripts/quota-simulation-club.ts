import { PAGE_SIZE } from "../src/core/sync.ts";
import { DAY_MS, QUARTER_MS } from "../src/core/units.ts";
import type { QuotaLimits } from "../src/sandbox/quota-windows.ts";

/** A club of equal athletes, and the quota that it has. */
export type Club = {
  readonly athletes: number;
  readonly quota: { readonly overall: QuotaLimits; readonly read: QuotaLimits };
  /** With the default schedules, and the default reserve of a tenth of the day. */
  readonly isScheduled: boolean;
  /** Of each window, what another client of the same application uses at random. */
  readonly othersShare: number;
};

export const ACTIVITIES = 1_100;
export const RACES = 84;

/** For each athlete the pages of the list, the empty one, and a detail for each race. */
export const leastRequests = ({ athletes }: Club): number => athletes * (Math.ceil(ACTIVITIES / PAGE_SIZE) + 1 + RACES);

/** The earliest moment, from the midnight of the start, at which the windows have allowed so many reads. */
export function earliestEndMs(requests: number, { quarter, day }: QuotaLimits): number {
  const fullDays = Math.ceil(requests / day) - 1;
  const fullQuarters = Math.ceil((requests - fullDays * day) / quarter) - 1;
  return fullDays * DAY_MS + fullQuarters * QUARTER_MS;
}

export function describeClub({ athletes, quota, isScheduled, othersShare }: Club): string {
  const { quarter, day } = quota.read;
  return [
    `${athletes} athletes, ${quarter} reads a quarter of an hour and ${day} a day`,
    isScheduled ? "with schedules and reserve" : "schedules off, reserve 0",
    ...(othersShare > 0 ? [`another client uses ${othersShare * 100} % at random`] : []),
  ].join(", ");
}
