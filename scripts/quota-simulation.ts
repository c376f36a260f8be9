/**
 * Clubs that sync in full for the first time, at Strava's quotas, on a clock of its own: how close they come to the least
 * possible number of requests and to the earliest possible moment, and how true the forecast is.
 *
 *     bun run simulate-quota [--seed N] [--only CLUB]
 *
 * The real engine on a real database in memory, against the sandbox in the same process: days pass in seconds. Ends with 1
 * when a figure is not what is promised of it.
 */
import { parseArgs } from "node:util";
import { HOUR_MS } from "../src/core/units.ts";
import { type Club, describeClub, earliestEndMs, leastRequests, RACES } from "./quota-simulation-club.ts";
import { type Ran, runClub } from "./quota-simulation-run.ts";

const SMALL = { overall: { quarter: 200, day: 2_000 }, read: { quarter: 100, day: 1_000 } };
const RAISED = { overall: { quarter: 400, day: 4_000 }, read: { quarter: 200, day: 2_000 } };
const CLUBS: readonly Club[] = [
  { athletes: 60, quota: SMALL, isScheduled: false, othersShare: 0 },
  { athletes: 10, quota: RAISED, isScheduled: false, othersShare: 0 },
  { athletes: 60, quota: SMALL, isScheduled: true, othersShare: 0 },
  { athletes: 10, quota: RAISED, isScheduled: true, othersShare: 0 },
  { athletes: 60, quota: SMALL, isScheduled: false, othersShare: 0.3 },
];

/** `isMet` is undefined where nothing is promised. */
type Figure = { readonly name: string; readonly value: string; readonly isMet?: boolean };

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" }, only: { type: "string" } } });
const seed = Number(values.seed);
const clubs = values.only === undefined ? CLUBS : CLUBS.slice(Number(values.only) - 1, Number(values.only));
process.stdout.write(`Each athlete has 1,100 activities, 84 of them races. Seed ${seed}.\n`);
let isMissed = false;
for (const club of clubs) {
  const startedMs = performance.now();
  const ran = await runClub(club, seed);
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  process.stdout.write(`\n${describeClub(club)} (${seconds} s)\n`);
  for (const { name, value, isMet } of figuresOf(club, ran)) {
    if (isMet === false) isMissed = true;
    process.stdout.write(`  ${name.padEnd(50)}${value}${isMet === false ? "   MISSED" : ""}\n`);
  }
}
process.exit(isMissed ? 1 : 0);

function figuresOf(club: Club, ran: Ran): readonly Figure[] {
  const least = leastRequests(club);
  const boundMs = earliestEndMs(least, club.quota.read);
  // Schedules ask for more, a reserve and another client leave less: there is no bound then.
  const isBounded = !club.isScheduled && club.othersShare === 0;
  const time = ran.doneAfterMs / boundMs;
  const requests = ran.requests / least;
  const error = ran.forecastAfterMs === undefined ? undefined : ran.forecastAfterMs / ran.doneAfterMs - 1;
  const isDone = ran.completed === club.athletes && ran.racesEnriched === club.athletes * RACES;
  return [
    { name: "syncs completed, races enriched", value: `${ran.completed}, ${ran.racesEnriched}`, isMet: isDone },
    {
      name: "requests, least possible, ratio (1.01)",
      value: `${ran.requests}, ${least}, ${requests.toFixed(4)}`,
      ...(isBounded ? { isMet: requests <= 1.01 } : {}),
    },
    {
      name: "hours till done, earliest possible, ratio (1.02)",
      value: `${hours(ran.doneAfterMs)}, ${hours(boundMs)}, ${time.toFixed(4)}`,
      ...(isBounded ? { isMet: time <= 1.02 } : {}),
    },
    ...(club.othersShare > 0
      ? [
          {
            name: "of all reads, the other client's",
            value: `${((100 * ran.byOthers) / (ran.byOthers + ran.requests)).toFixed(0)} %`,
          },
        ]
      : []),
    {
      name: "429s, most in one window",
      value: `${ran.refusals}, ${ran.refusalsInAWindow}`,
      isMet: club.othersShare === 0 ? ran.refusals === 0 : ran.refusalsInAWindow <= 1,
    },
    {
      name: "forecast after an hour, its error (10 %)",
      value: `${ran.forecastAfterMs === undefined ? "none" : hours(ran.forecastAfterMs)} h, ${((error ?? 1) * 100).toFixed(1)} %`,
      ...(isBounded ? { isMet: error !== undefined && Math.abs(error) <= 0.1 } : {}),
    },
    {
      name: "requests in our ledger, in Strava's",
      value: `${ran.ledger.ours}, ${ran.ledger.stravas}`,
      isMet: ran.ledger.ours === ran.ledger.stravas,
    },
  ];
}

function hours(ms: number): string {
  return (ms / HOUR_MS).toFixed(3);
}
