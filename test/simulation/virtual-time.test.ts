import { expect, test } from "bun:test";
import { Machine } from "../../src/simulation/machine.ts";
import { VirtualTime, worldClock } from "../../src/simulation/virtual-time.ts";

const START_MS = 1_000_000;

function setUp() {
  const errors: unknown[] = [];
  const time = new VirtualTime(START_MS, (error) => errors.push(error));
  const outside = worldClock(time);
  const machine = new Machine(time, outside);
  const seen: string[] = [];
  const note = (what: string) => () => {
    seen.push(`${what} ${time.nowMs() - START_MS}`);
  };
  return { time, outside, machine, seen, note, errors };
}

test("timers fire at their moments, in the order in which they were set where those are the same", () => {
  const { time, outside, machine, seen, note } = setUp();
  for (const [what, delayMs] of [
    ["b", 20],
    ["a", 10],
    ["c", 20],
    ["late", 31],
  ] as const)
    outside.after(delayMs, note(what));
  machine.clock.after(15, note("machine"));
  const callOff = outside.after(5, note("called off"));
  callOff();
  time.run(START_MS + 30);
  expect(seen).toEqual(["a 10", "machine 15", "b 20", "c 20"]);
  expect(time.nowMs() - START_MS).toBe(30);
});

test("a turn ends when nothing can go on without time passing, however many steps that takes", () => {
  const { time, outside, seen, note } = setUp();
  outside.after(1, async () => {
    for (let step = 0; step < 50; step++) await null;
    note("fifty steps")();
    await new Promise<void>((resolve) => outside.after(0, resolve));
    note("and a turn")();
  });
  outside.after(1, note("next"));
  time.run(START_MS + 1);
  expect(seen).toEqual(["fifty steps 1", "next 1", "and a turn 1"]);
});

test("a machine that sleeps fires its timers late by its sleep, and hears from outside when it wakes", () => {
  const { time, machine, seen, note } = setUp();
  machine.clock.after(100, note("timer"));
  time.run(START_MS + 40);
  machine.sleep(1_000);
  machine.deliver(note("letter"));
  time.run(START_MS + 2_000);
  expect(seen).toEqual(["letter 1040", "timer 1100"]);
  machine.deliver(note("awake"));
  expect(seen.at(-1)).toBe("awake 2000");
});

test("a clock that is set wrong changes what it shows, and no timer", () => {
  const { time, machine, seen, note } = setUp();
  machine.clock.after(100, note("timer"));
  machine.setWrong(-5_000);
  expect(machine.clock.nowMs() - START_MS).toBe(-5_000);
  time.run(START_MS + 200);
  expect(seen).toEqual(["timer 100"]);
});

test("what a long statement delays fires late, and what a timer throws stops no other", () => {
  const { time, outside, seen, note, errors } = setUp();
  outside.after(10, () => {
    time.skip(500);
    throw new Error("oops");
  });
  outside.after(20, note("delayed"));
  time.run(START_MS + 600);
  expect(seen).toEqual(["delayed 510"]);
  expect(String(errors)).toContain("oops");
});
