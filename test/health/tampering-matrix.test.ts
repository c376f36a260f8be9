import { afterAll, describe, expect, test } from "bun:test";
import { seededDice } from "../../src/core/dice.ts";
import type { FindingKind } from "../../src/core/findings.ts";
import { readFindings } from "../../src/db/findings.ts";
import type { FindingRow } from "../../src/db/schema.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, countRaces, tickMinutes } from "../support/hand.ts";
import { inTheMiddle } from "../support/middle.ts";
import { PLENTY, syncOf } from "../support/syncs.ts";
import { TAMPERINGS, type Tampering } from "../support/tamperings.ts";

/** Over everything that this file does to syncs. */
const score = { verified: 0, failed: 0, false: 0, found: 0 };

afterAll(() => {
  expect(score.found).toBeGreaterThan(100);
  expect(score.verified / (score.verified + score.failed)).toBe(1);
  expect(score.false).toBe(0);
});

const findingsOf = (engine: TestEngine): readonly FindingRow[] =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 100);
const kindsOf = (engine: TestEngine) => findingsOf(engine).map((finding) => finding.kind);

/** Found by the check of this very moment, healed within two ticks, and each remedy verified by work that went on after it. */
async function expectHealed(engine: TestEngine, kinds: readonly string[], isLossy: boolean): Promise<void> {
  await engine.monitor.tick();
  expect(kinds).toContain(kindsOf(engine)[0] as FindingKind);
  await tickMinutes(engine, 2);
  expectWhole(engine, isLossy);
}

function expectWhole(engine: TestEngine, isLossy: boolean): void {
  expect(syncOf(engine, 1 as never).status).toBe("completed");
  expect(countRaces(engine.db, "pending")).toBe(0);
  if (!isLossy) expect(countRaces(engine.db, "enriched")).toBe(50);
  for (const { outcome, falseRemedy, kind, ownRestart } of findingsOf(engine)) {
    // What a restart made necessary may be overtaken: it is no remedy, and is not counted as one.
    if (ownRestart === 0) expect([kind, outcome]).toEqual([kind, "verified"]);
    score.found++;
    if (ownRestart === 0 && outcome === "verified") score.verified++;
    if (outcome === "failed") score.failed++;
    score.false += falseRemedy;
  }
}

describe("with the daemon up", () => {
  for (const { what, kind, during, sql, or = [], isLossy } of TAMPERINGS) {
    test(`${during}: ${what} is found as ${kind} at the next tick, healed within two, and verified`, async () => {
      const { engine } = await inTheMiddle(during);
      byHand(engine.db, sql);
      await expectHealed(engine, [kind, ...or], isLossy === true);
    });
  }
});

describe("with the daemon down", () => {
  for (const { what, kind, during, sql, or = [], isLossy } of TAMPERINGS) {
    test(`${during}: ${what} is found as ${kind} at the first check, healed within two ticks, and verified`, async () => {
      const { engine } = await inTheMiddle(during);
      byHand(engine.db, sql);
      const next = engine.rebooted();
      await expectHealed(next, [kind, ...or, "left_by_former_process"], isLossy === true);
    });
  }
});

describe("two at once", () => {
  const dice = seededDice(20_251_117);
  const pick = (of: readonly Tampering[]) => of[Math.floor(dice() * of.length)] as Tampering;
  for (let sample = 0; sample < 60; sample++) {
    const first = pick(TAMPERINGS);
    const second = pick(TAMPERINGS.filter(({ during, sql }) => during === first.during && sql !== first.sql));
    const isDown = dice() < 0.4;
    test(`${first.during}, daemon ${isDown ? "down" : "up"}: ${first.what}, and ${second.what}`, async () => {
      const { engine } = await inTheMiddle(first.during);
      byHand(engine.db, first.sql);
      byHand(engine.db, second.sql.replaceAll(/\b(700|900|99)\b/g, "5$1"));
      const next = isDown ? engine.rebooted() : engine;
      await next.monitor.tick();
      // One remedy a check: the second trouble is mended a tick later.
      await tickMinutes(next, 3);
      expectWhole(next, first.isLossy === true || second.isLossy === true);
    });
  }
});

test("a healthy sync is never named: many checks beside a sync that goes its way find nothing", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 500, racesEach: 50 }, latencyMs: 200, quota: PLENTY },
  });
  engine.start(0);
  engine.start(1);
  for (let second = 0; second < 120; second++) {
    await engine.clock.advance(1_000);
    expect((await engine.monitor.check({ dryRun: false })).findings).toEqual([]);
  }
  expect(countRaces(engine.db, "enriched")).toBe(100);
});
