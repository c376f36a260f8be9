import { ProcessDied } from "./driver.ts";
import type { Plan } from "./plan.ts";
import { type Ran, runPlan } from "./run-plan.ts";

/**
 * Runs a plan, and hears of rejections in it that nobody handles: the runtime tells of them a turn of its event loop later.
 * @param turn resolves in the next turn. @param listen is given the diary, line by line.
 */
export async function runSettled(plan: Plan, turn: () => Promise<void>, listen?: (line: string) => void): Promise<Ran> {
  const rejections: unknown[] = [];
  const hear = (error: unknown) => {
    // What a dead process still had in hand is nobody's any more.
    if (!(error instanceof ProcessDied)) rejections.push(error);
  };
  process.on("unhandledRejection", hear);
  try {
    const ran = runPlan(plan, listen);
    await turn();
    const [first] = rejections;
    if (first === undefined || ran.breach !== undefined) return ran;
    const says = `A rejection that nobody handles: ${first instanceof Error ? (first.stack ?? first.message) : String(first)}`;
    return { ...ran, breach: { invariant: "uncaught", says, atMs: plan.startMs + ran.simulatedMs } };
  } finally {
    process.off("unhandledRejection", hear);
  }
}
