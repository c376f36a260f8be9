import type { Clock, Fetch } from "../core/units.ts";
import { toLoopbackOnly } from "../sandbox/loopback.ts";
import { createSandbox, type Sandbox } from "../sandbox/sandbox.ts";

/** The races of the athlete whose sync is broken: as many as in the incident of 2025-11-17. */
const RACES_OF_THE_INCIDENT = 65;
const SEED = 20_251_117;

/** A club of eight, one who is not connected yet, and a Strava that takes its time, so that a person sees things move. */
export function openDemoClub({ clock, fetch }: { clock: Clock; fetch: Fetch }): {
  sandbox: Sandbox;
  brokenStravaId: number;
} {
  const others = { activities: { min: 60, max: 180 }, races: { min: 10, max: 30 } };
  const sandbox = createSandbox({
    clock,
    deliver: toLoopbackOnly(fetch),
    seed: SEED,
    club: {
      athletes: [
        { activities: 240, races: RACES_OF_THE_INCIDENT },
        ...Array.from({ length: 7 }, () => others),
        { ...others, isConnected: false },
      ],
    },
    latencyMs: { min: 40, max: 160 },
    // Strava's own limits would have the demo wait for its next quarter of an hour.
    quota: { read: { quarter: 600, day: 30_000 }, overall: { quarter: 1_200, day: 60_000 } },
  });
  return { sandbox, brokenStravaId: sandbox.athletes()[0]?.stravaId ?? 0 };
}
