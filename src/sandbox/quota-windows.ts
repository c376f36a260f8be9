import { DAY_MS, type EpochMs, QUARTER_MS } from "../core/units.ts";
import type { OtherClient } from "./other-client.ts";

/** Requests that a window of each length allows. */
export type QuotaLimits = { readonly quarter: number; readonly day: number };

type Meter = { readonly limit: number; readonly used: number };
export type QuotaUsage = {
  readonly overall: { readonly quarter: Meter; readonly day: Meter };
  readonly read: { readonly quarter: Meter; readonly day: Meter };
};

/**
 * Counts an application's requests in Strava's four windows: 15 minutes from each wall-clock quarter and the day from
 * 00:00 UTC, overall and read. The request that reaches a limit still passes; refused ones count on.
 * @see https://developers.strava.com/docs/rate-limits
 */
export class QuotaWindows {
  #limits: { overall: QuotaLimits; read: QuotaLimits } = {
    overall: { quarter: 200, day: 2_000 },
    read: { quarter: 100, day: 1_000 },
  };
  #otherClient: OtherClient | undefined;
  #quarter = { number: -1, overall: 0, read: 0 };
  #day = { number: -1, overall: 0, read: 0 };

  setLimits(limits: { overall?: Partial<QuotaLimits>; read?: Partial<QuotaLimits> }): void {
    this.#limits = {
      overall: { ...this.#limits.overall, ...limits.overall },
      read: { ...this.#limits.read, ...limits.read },
    };
  }

  /** Another client of the application spends too, from now on, in the place of the one before it. */
  setOtherClient(client: OtherClient): void {
    this.#otherClient = client;
  }

  /** Counts one request. @returns whether every window that it counts in still had room for it. */
  count(nowMs: EpochMs, { isRead }: { isRead: boolean }): boolean {
    this.spend(nowMs, isRead ? ONE_READ : ONE_UPLOAD);
    const { overall, read } = this.#limits;
    const fitsOverall = this.#quarter.overall <= overall.quarter && this.#day.overall <= overall.day;
    const fitsRead = this.#quarter.read <= read.quarter && this.#day.read <= read.day;
    return fitsOverall && (fitsRead || !isRead);
  }

  spend(nowMs: EpochMs, spent: { overall?: number; read?: number }): void {
    this.#turnTo(nowMs);
    this.#add(spent);
  }

  usage(nowMs: EpochMs): QuotaUsage {
    this.#turnTo(nowMs);
    const meters = (kind: "overall" | "read") => ({
      quarter: { limit: this.#limits[kind].quarter, used: this.#quarter[kind] },
      day: { limit: this.#limits[kind].day, used: this.#day[kind] },
    });
    return { overall: meters("overall"), read: meters("read") };
  }

  /** Adds the headers, in the wire's own casing; the read pair only where the request was a read, as recorded. */
  writeHeaders(headers: Record<string, string>, nowMs: EpochMs, { isRead }: { isRead: boolean }): void {
    this.#turnTo(nowMs);
    const { overall, read } = this.#limits;
    headers["X-Ratelimit-Limit"] = `${overall.quarter},${overall.day}`;
    headers["X-Ratelimit-Usage"] = `${this.#quarter.overall},${this.#day.overall}`;
    if (!isRead) return;
    headers["X-Readratelimit-Limit"] = `${read.quarter},${read.day}`;
    headers["X-Readratelimit-Usage"] = `${this.#quarter.read},${this.#day.read}`;
  }

  #add(spent: { overall?: number; read?: number }): void {
    for (const window of [this.#quarter, this.#day]) {
      window.overall += spent.overall ?? 0;
      window.read += spent.read ?? 0;
    }
  }

  #turnTo(nowMs: EpochMs): void {
    this.#otherClient?.catchUp(nowMs, this.#limits.read, (atMs) => {
      this.#openWindows(atMs);
      this.#add(ONE_READ);
    });
    this.#openWindows(nowMs);
  }

  #openWindows(nowMs: EpochMs): void {
    const quarter = Math.floor(nowMs / QUARTER_MS);
    if (quarter !== this.#quarter.number) this.#quarter = { number: quarter, overall: 0, read: 0 };
    const day = Math.floor(nowMs / DAY_MS);
    if (day !== this.#day.number) this.#day = { number: day, overall: 0, read: 0 };
  }
}

const ONE_UPLOAD = { overall: 1 };
const ONE_READ = { overall: 1, read: 1 };
