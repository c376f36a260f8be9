import { expect, test } from "bun:test";
import fc from "fast-check";
import { type PlanInput, planNextStep, type UnservedRaces } from "../../src/core/plan.ts";
import { epochSeconds } from "../../src/core/units.ts";

const RULES = { enrichmentBatchSize: 15 };
const CURSOR = { beforeSeconds: epochSeconds(1_763_334_772), page: 3 };

/** A sync in enrichment with nothing left to do, but for what the test says. */
function input(values: Partial<PlanInput> = {}): PlanInput {
  return {
    phase: "enrichment",
    listComplete: true,
    cursor: CURSOR,
    liveBatches: 0,
    discoveryFailure: undefined,
    unserved: [],
    racesPending: 0,
    ...values,
  };
}
const discovery = (values: Partial<PlanInput> = {}) => input({ phase: "discovery", listComplete: false, ...values });
const next = (values: PlanInput, rules = RULES) => planNextStep(values, rules);

test("the incident: three batches completed, 20 races without a batch, and two batches are created for them", () => {
  const step = next(input({ racesPending: 20, unserved: [{ exhaustedSize: undefined, count: 20 }] }));
  expect(step).toEqual({
    step: "create_enrichment_batches",
    exhaustedSize: undefined,
    count: 20,
    batchSize: 15,
    batches: 2,
  });
});

test("races fill batches to the last place: one more race, one more batch", () => {
  const batches = [1, 14, 15, 16, 30, 31].map((count) => {
    const step = next(input({ racesPending: count, unserved: [{ exhaustedSize: undefined, count }] }));
    return step?.step === "create_enrichment_batches" ? step.batches : undefined;
  });
  expect(batches).toEqual([1, 1, 1, 2, 2, 3]);
});

test("nothing is planned while something live will move the sync", () => {
  expect(next(discovery({ liveBatches: 1 }))).toBeUndefined();
  expect(next(discovery({ liveBatches: 1, listComplete: undefined, racesPending: 9 }))).toBeUndefined();
  expect(next(input({ liveBatches: 1, racesPending: 15 }))).toBeUndefined();
  expect(next(input({ liveBatches: 1, racesPending: 0 }))).toBeUndefined();
});

test("a list that is not complete is read on at the cursor", () => {
  const step = { step: "create_discovery_batch", cursor: CURSOR } as const;
  expect(next(discovery())).toEqual(step);
  expect(next(discovery({ listComplete: undefined }))).toEqual(step);
  // Races that were found already wait for the list.
  expect(next(discovery({ racesPending: 20, unserved: [{ exhaustedSize: undefined, count: 20 }] }))).toEqual(step);
});

test("a page that failed for good fails the sync with its reason, unless a newer one is live or the list is complete", () => {
  const discoveryFailure = "Strava answered 500";
  expect(next(discovery({ discoveryFailure }))).toEqual({ step: "fail", reason: "Strava answered 500" });
  expect(next(discovery({ discoveryFailure, liveBatches: 1 }))).toBeUndefined();
  expect(next(discovery({ discoveryFailure, listComplete: true }))).toEqual({ step: "enter_enrichment" });
});

test("a complete list leads to enrichment, whatever else is live", () => {
  expect(next(discovery({ listComplete: true }))).toEqual({ step: "enter_enrichment" });
  expect(next(discovery({ listComplete: true, liveBatches: 1 }))).toEqual({ step: "enter_enrichment" });
});

test("a sync that a hand moved to enrichment before its list was complete goes back; an unknown list is believed", () => {
  expect(next(input({ listComplete: false }))).toEqual({ step: "return_to_discovery" });
  expect(next(input({ listComplete: undefined }))).toEqual({ step: "complete" });
});

test("a sync completes when no race is pending and nothing is live, and not before", () => {
  expect(next(input())).toEqual({ step: "complete" });
  expect(next(input({ liveBatches: 1 }))).toBeUndefined();
  expect(next(input({ racesPending: 1, unserved: [{ exhaustedSize: undefined, count: 1 }] }))?.step).toBe(
    "create_enrichment_batches",
  );
});

test("races of a batch that failed for good go to batches of half its size, down to one race, which then fails", () => {
  const after = (exhaustedSize: number, count: number) =>
    next(input({ racesPending: count, unserved: [{ exhaustedSize, count }] }));
  expect(after(15, 15)).toMatchObject({ exhaustedSize: 15, batchSize: 7, batches: 3 });
  expect(after(3, 3)).toMatchObject({ batchSize: 1, batches: 3 });
  expect(after(2, 1)).toMatchObject({ batchSize: 1, batches: 1 });
  expect(after(1, 4)).toEqual({ step: "fail_exhausted_races", count: 4 });
});

test("missing batches are created while others are live, and before exhausted ones are split", () => {
  const unserved: UnservedRaces[] = [
    { exhaustedSize: undefined, count: 2 },
    { exhaustedSize: 4, count: 4 },
  ];
  expect(next(input({ liveBatches: 2, racesPending: 9, unserved }))).toMatchObject({
    exhaustedSize: undefined,
    count: 2,
  });
});

/** Races and batches as numbers: what the plan's steps do to a real sync. */
class SmallSync {
  phase: PlanInput["phase"] = "discovery";
  pagesLeft: number;
  hasLivePage = false;
  discoveryFailure: string | undefined;
  races: { isBad: boolean; batch: number | undefined; state: "pending" | "enriched" | "failed" }[] = [];
  batches: { size: number; state: "live" | "completed" | "exhausted" | "lost" }[] = [];
  end: "complete" | "fail" | undefined;
  created: { count: number; batches: number; batchSize: number }[] = [];

  constructor(
    readonly pages: readonly boolean[][],
    readonly batchSize: number,
  ) {
    this.pagesLeft = pages.length;
  }

  input(): PlanInput {
    const groups = new Map<number | undefined, number>();
    for (const race of this.unserved()) {
      const size = this.exhaustedSizeOf(race.batch);
      groups.set(size, (groups.get(size) ?? 0) + 1);
    }
    return {
      phase: this.phase,
      listComplete: this.pagesLeft === 0,
      cursor: CURSOR,
      liveBatches: this.phase === "discovery" ? Number(this.hasLivePage) : this.liveBatches().length,
      discoveryFailure: this.discoveryFailure,
      unserved: [...groups].map(([exhaustedSize, count]) => ({ exhaustedSize, count })),
      racesPending: this.races.filter((race) => race.state === "pending").length,
    };
  }

  /** Takes every step that the plan wants now; says how many. */
  reconcile(): number {
    for (let steps = 0; ; steps++) {
      const step =
        this.end === undefined ? planNextStep(this.input(), { enrichmentBatchSize: this.batchSize }) : undefined;
      if (step === undefined) return steps;
      if (steps > 500) throw new Error(`the plan does not end: ${JSON.stringify(step)}`);
      switch (step.step) {
        case "create_discovery_batch":
          this.hasLivePage = true;
          break;
        case "enter_enrichment":
          this.phase = "enrichment";
          break;
        case "return_to_discovery":
          this.phase = "discovery";
          break;
        case "create_enrichment_batches":
          this.created.push(step);
          this.bind(step);
          break;
        case "fail_exhausted_races":
          for (const race of this.unserved()) if (this.exhaustedSizeOf(race.batch) === 1) race.state = "failed";
          break;
        case "complete":
        case "fail":
          this.end = step.step;
          break;
        default:
          step satisfies never;
      }
    }
  }

  /** One live batch ends: as its races let it, or as a hand or a crash will have it. */
  work(which: number, howItEnds: "well" | "lost" | "page_fails"): void {
    if (this.hasLivePage) {
      this.hasLivePage = false;
      if (howItEnds === "page_fails") this.discoveryFailure = "the page failed for good";
      else if (howItEnds === "well") {
        for (const isBad of this.pages[--this.pagesLeft] ?? [])
          this.races.push({ isBad, batch: undefined, state: "pending" });
      }
      return;
    }
    const live = this.liveBatches();
    const id = live[which % Math.max(1, live.length)];
    const batch = id === undefined ? undefined : this.batches[id];
    if (batch === undefined) return;
    const own = this.races.filter((race) => race.batch === id && race.state === "pending");
    if (howItEnds === "lost") batch.state = "lost";
    else if (own.some((race) => race.isBad)) batch.state = "exhausted";
    else {
      batch.state = "completed";
      for (const race of own) race.state = "enriched";
    }
  }

  private bind(step: { exhaustedSize: number | undefined; batchSize: number; batches: number }): void {
    const waiting = this.unserved().filter((race) => this.exhaustedSizeOf(race.batch) === step.exhaustedSize);
    for (let made = 0; made < step.batches; made++) {
      const own = waiting.splice(0, step.batchSize);
      this.batches.push({ size: own.length, state: "live" });
      for (const race of own) race.batch = this.batches.length - 1;
    }
    if (waiting.length > 0) throw new Error(`${waiting.length} races are left without a batch`);
  }

  private unserved() {
    return this.races.filter(
      (race) => race.state === "pending" && (race.batch === undefined || this.batches[race.batch]?.state !== "live"),
    );
  }

  private liveBatches(): number[] {
    return this.batches.flatMap((batch, id) => (batch.state === "live" ? [id] : []));
  }

  private exhaustedSizeOf(batch: number | undefined): number | undefined {
    const found = batch === undefined ? undefined : this.batches[batch];
    return found?.state === "exhausted" ? found.size : undefined;
  }
}

const pages = fc.array(fc.array(fc.boolean(), { maxLength: 12 }), { maxLength: 4 });
const fates = fc.array(
  fc.record({
    which: fc.nat({ max: 9 }),
    how: fc.constantFrom("well" as const, "well" as const, "well" as const, "lost" as const),
  }),
  { maxLength: 12 },
);

test("taking the plan's steps always ends: every good race enriched, every bad one failed, alone", () => {
  fc.assert(
    fc.property(pages, fc.integer({ min: 1, max: 15 }), fates, (found, batchSize, misfortunes) => {
      const sync = new SmallSync(found, batchSize);
      sync.reconcile();
      for (let turn = 0; sync.end === undefined; turn++) {
        if (turn > 400) throw new Error("the sync does not end");
        const fate = misfortunes[turn];
        sync.work(fate?.which ?? 0, fate?.how ?? "well");
        sync.reconcile();
        expect(sync.reconcile()).toBe(0);
      }
      expect(sync.end).toBe("complete");
      expect(sync.races.length).toBe(found.flat().length);
      for (const race of sync.races) expect(race.state).toBe(race.isBad ? "failed" : "enriched");
    }),
    { numRuns: 200 },
  );
});

test("each creation makes as many batches as its races fill, and never one larger than the rule", () => {
  fc.assert(
    fc.property(pages, fc.integer({ min: 1, max: 15 }), (found, batchSize) => {
      const sync = new SmallSync(found, batchSize);
      sync.reconcile();
      for (let turn = 0; sync.end === undefined && turn < 400; turn++) {
        sync.work(turn, "well");
        sync.reconcile();
      }
      for (const made of sync.created) {
        expect(made.batches).toBe(Math.ceil(made.count / made.batchSize));
        expect(made.batchSize).toBeLessThanOrEqual(batchSize);
      }
      for (const batch of sync.batches) expect(batch.size).toBeGreaterThanOrEqual(1);
    }),
    { numRuns: 100 },
  );
});

test("a page that fails for good ends the sync as failed", () => {
  const sync = new SmallSync([[true], [false]], 15);
  sync.reconcile();
  sync.work(0, "well");
  sync.reconcile();
  sync.work(0, "page_fails");
  sync.reconcile();
  expect(sync.end).toBe("fail");
  expect(sync.races.map((race) => race.state)).toEqual(["pending"]);
});

test("I1: no sync is complete while a race is pending, whoever is said to hold it", () => {
  expect(planNextStep(input({ racesPending: 0 }), RULES)).toEqual({ step: "complete" });
  expect(planNextStep(input({ racesPending: 1 }), RULES)).toBeUndefined();
});
