import { HOUR_MS } from "../core/units.ts";
import type { Breach } from "./oracle.ts";
import type { Happening, Plan } from "./plan.ts";

/** A plan of which something was left out, and that still breaks the same invariant in the same way. */
export type Shrunk = { readonly plan: Plan; readonly breach: Breach; readonly tries: number };

/** Each try is a run: a broken plan of a hundred happenings needs some fifty. */
const TRIES_MAX = 200;

/**
 * Leaves out of a broken plan whatever it breaks without: happenings, athletes, days. @param breach what it broke.
 * @param run tries a plan.
 */
export async function shrink(
  plan: Plan,
  breach: Breach,
  run: (plan: Plan) => Promise<Breach | undefined>,
): Promise<Shrunk> {
  let kept: Shrunk = { plan, breach, tries: 0 };
  let tries = 0;
  const adopt = async (candidate: Plan): Promise<boolean> => {
    if (tries >= TRIES_MAX) return false;
    tries++;
    const broken = await run(candidate);
    if (broken === undefined || !isSameBreach(broken, breach)) return false;
    kept = { plan: candidate, breach: broken, tries };
    return true;
  };
  // What came after it had no part in it.
  const before = plan.happenings.filter(({ afterMs }) => plan.startMs + afterMs <= breach.atMs);
  if (before.length < plan.happenings.length) await adopt({ ...plan, happenings: before });
  await leaveOut(kept.plan.happenings, (happenings) => adopt({ ...kept.plan, happenings }));
  for (let place = kept.plan.club.athletes.length - 1; place >= 0; place--) {
    const athletes = kept.plan.club.athletes.filter((_, other) => other !== place);
    if (athletes.length > 0) await adopt({ ...kept.plan, club: { ...kept.plan.club, athletes } });
  }
  for (const durationMs of shorterThan(kept)) if (await adopt({ ...kept.plan, durationMs })) break;
  return { ...kept, tries };
}

/** Till after the last happening, and till after what it breaks, if that is before its end. */
function shorterThan({ plan, breach }: Shrunk): readonly number[] {
  const lastMs = Math.max(0, ...plan.happenings.map(({ afterMs }) => afterMs));
  return [lastMs, breach.atMs - plan.startMs]
    .map((endMs) => endMs + HOUR_MS)
    .filter((durationMs) => durationMs < plan.durationMs)
    .sort((a, b) => a - b);
}

/** The same invariant, in the same words but for the numbers and the names in them. */
function isSameBreach(one: Breach, other: Breach): boolean {
  return one.invariant === other.invariant && gistOf(one.says) === gistOf(other.says);
}

const gistOf = (says: string): string =>
  (says.split("\n", 1)[0] ?? "").replace(/\{.*\}|"[^"]*"|[\d.]+/g, "").replace(/\s+/g, " ");

/** Delta debugging: ever smaller parts of the list are left out, as long as it breaks without them. */
async function leaveOut(
  all: readonly Happening[],
  adopt: (happenings: readonly Happening[]) => Promise<boolean>,
): Promise<void> {
  let kept = all;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length; ) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await adopt(rest)) kept = rest;
      else from += size;
    }
  }
}
