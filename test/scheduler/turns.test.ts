import { expect, test } from "bun:test";
import { Cron } from "croner";
import { seededDice } from "../../src/core/dice.ts";
import { epochMs } from "../../src/core/units.ts";
import { nextTurn, periodOf } from "../../src/scheduler/turns.ts";

const ZONES = ["UTC", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham"];

test("the turns of every minute are those that Croner gives, in zones with odd offsets and over changes of the clock", () => {
  const seed = 7;
  const dice = seededDice(seed);
  for (const timezone of ZONES) {
    const everyMinute = new Cron("* * * * *", { paused: true, timezone });
    // The same by other words, which Croner works out.
    const inOtherWords = new Cron("*/1 * * * *", { paused: true, timezone });
    const moments = Array.from({ length: 40 }, () => Math.floor(Date.UTC(2024, 0, 1) + dice() * 3 * 365 * 86_400_000));
    for (const fromMs of [
      ...moments,
      Date.UTC(2025, 10, 2, 5, 59, 59, 999),
      Date.UTC(2025, 10, 2, 6),
      Date.UTC(2025, 2, 9, 6, 59),
    ]) {
      const turn = nextTurn(everyMinute, epochMs(fromMs));
      expect([timezone, fromMs, turn]).toEqual([timezone, fromMs, nextTurn(inOtherWords, epochMs(fromMs))]);
    }
    expect(periodOf("* * * * *", timezone, epochMs(0))).toBe(periodOf("*/1 * * * *", timezone, epochMs(0)));
  }
});
