import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HOUR_MS } from "../../src/core/units.ts";
import { drawPlan } from "../../src/simulation/draw-plan.ts";
import type { Happening, Plan } from "../../src/simulation/plan.ts";
import { runPlan } from "../../src/simulation/run-plan.ts";
import { runSettled } from "../../src/simulation/run-settled.ts";
import { shrink } from "../../src/simulation/shrink.ts";

const PLANS = join(import.meta.dir, "plans");

/** A turn of the event loop, in which rejections that nobody handles are heard. */
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** The diary of a run, line by line, and what came of it. */
function diaryOf(plan: Plan) {
  const lines: string[] = [];
  return { ran: runPlan(plan, (line) => lines.push(line)), lines };
}

test("the same seed gives the same diary, byte for byte, and another seed another one", () => {
  const plan = { ...drawPlan(12), durationMs: 2 * 86_400_000 };
  const [first, second] = [diaryOf(plan), diaryOf(plan)];
  expect(second.lines).toEqual(first.lines);
  expect(second.ran).toEqual(first.ran);
  expect(first.lines.length).toBeGreaterThan(50);
  expect(runPlan({ ...plan, seed: 13 }).digest).not.toBe(first.ran.digest);
});

test("a plan survives being written to a file and read again", () => {
  const plan = drawPlan(31);
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
});

for (const file of readdirSync(PLANS).filter((name) => name.endsWith(".json"))) {
  test(`a plan that broke once breaks nothing any more: ${file}`, async () => {
    const plan = JSON.parse(readFileSync(join(PLANS, file), "utf8")) as Plan;
    expect((await runSettled(plan, turn)).breach).toBeUndefined();
  });
}

test("a broken plan is cut down to the happenings that break it, to the athletes, and to the days", async () => {
  const plan = drawPlan(77);
  const needed = [plan.happenings[2], plan.happenings[7]] as Happening[];
  const breach = { invariant: "I1", says: "broken", atMs: plan.startMs + plan.durationMs };
  const run = async ({ happenings }: Plan) => (needed.every((one) => happenings.includes(one)) ? breach : undefined);
  const shrunk = await shrink(plan, breach, run);
  expect(shrunk.plan.happenings).toEqual(needed);
  expect(shrunk.plan.club.athletes).toHaveLength(1);
  expect(shrunk.plan.durationMs).toBe(Math.max(...needed.map(({ afterMs }) => afterMs)) + HOUR_MS);
  expect(shrunk.tries).toBeLessThan(80);
});

test("what breaks otherwise when less happens is no smaller case of the same", async () => {
  const plan = drawPlan(78);
  const breach = { invariant: "I1", says: "broken", atMs: plan.startMs + plan.durationMs };
  const run = async ({ happenings }: Plan) =>
    happenings.length === plan.happenings.length ? breach : { ...breach, invariant: "I5" };
  expect((await shrink(plan, breach, run)).plan.happenings).toEqual(plan.happenings);
});
