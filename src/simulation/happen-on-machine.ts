import type { DaemonProcess } from "./daemon-process.ts";
import { driverError, ProcessDied } from "./driver.ts";
import type { Holder } from "./edges.ts";
import type { MachineTrouble } from "./plan.ts";
import type { World } from "./world.ts";

/** What befalls the box, the process and its database. @returns whether it has come about; a trap is noted when it springs. */
export function happenOnMachine(world: World, trouble: MachineTrouble): boolean {
  const { machine, outside, edges } = world;
  switch (trouble.what) {
    case "crash":
      edges.set(trouble.edge, trouble.nth, (holder) => {
        world.noteHappened(`crash at ${trouble.edge}`);
        world.crash(holder as DaemonProcess, trouble.downMs, `at ${trouble.edge}`);
        throw new ProcessDied();
      });
      return false;
    case "stop":
      return world.stop(trouble.downMs);
    case "sleep":
      machine.sleep(trouble.forMs);
      return true;
    case "wrong_clock":
      setClock(world, trouble.byMs, trouble.forMs);
      outside.after(trouble.forMs, () => setClock(world, 0, 0));
      return true;
    case "database_fails":
      failDatabase(world, trouble);
      return false;
    case "locked":
      lock(world, trouble.forMs);
      return false;
    case "slow_statement":
      edges.set("call", trouble.nth, () => {
        world.noteHappened("slow_statement");
        world.time.skip(trouble.takesMs);
        world.disturbances.happens({ afterMs: 0, ...trouble });
      });
      return false;
    case "second_process":
      outside.after(trouble.forMs, () => endRival(world));
      return world.startRival();
    default:
      return trouble satisfies never;
  }
}

function setClock({ machine, disturbances }: World, byMs: number, forMs: number): void {
  if (byMs > machine.wrongByMs()) disturbances.clockSetForward(forMs);
  machine.setWrong(byMs);
}

export function endRival(world: World): void {
  if (world.rival !== undefined) world.crash(world.rival, 0, "nobody wanted it");
}

function failDatabase(world: World, trouble: Extract<MachineTrouble, { what: "database_fails" }>): void {
  const { code, edge, rollsBack } = trouble;
  const arm = (nth: number, times: number): void => {
    world.edges.set(edge, nth, () => {
      if (times > 1) arm(1, times - 1);
      world.noteHappened(`${code} at ${edge}`);
      world.disturbances.happens({ afterMs: 0, ...trouble });
      const { client } = world.file;
      if (rollsBack && client.inTransaction) client.run("ROLLBACK");
      throw driverError(code);
    });
  };
  arm(trouble.nth, trouble.times);
}

/** No transaction that writes can begin for so long. */
function lock(world: World, forMs: number): void {
  const untilMs = world.time.nowMs() + forMs;
  let hasRefused = false;
  const refuse = (_holder: Holder): void => {
    if (world.time.nowMs() >= untilMs) return;
    if (!hasRefused) world.noteHappened("locked");
    hasRefused = true;
    callOff = world.edges.set("begin", 1, refuse);
    throw driverError("SQLITE_BUSY");
  };
  let callOff = world.edges.set("begin", 1, refuse);
  world.outside.after(forMs, () => callOff());
}
