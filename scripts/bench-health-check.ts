import { plusMs } from "../src/core/units.ts";
import type { CheckReport } from "../src/health/monitor.ts";
import type { TestEngine } from "../test/support/engine.ts";

/** One health check, as the machine felt it. */
export type MeasuredCheck = {
  readonly report: CheckReport;
  readonly durationMs: number;
  /** The processor's time: unlike the clock's it does not hang on what else the machine does. */
  readonly cpuMs: number;
  /** The longest time in which nothing else could run. */
  readonly longestHoldMs: number;
  readonly mostStatementsATurn: number;
  /** Runs of statements, and the rows that they gave. (Each row that a check reads, it is given: none is counted or sorted out.) */
  readonly statements: number;
  readonly rows: number;
};

/** Runs a check. The engine's clock, which otherwise stands still, runs meanwhile: the check lets go of the event loop by it. */
export async function measureCheck(engine: TestEngine): Promise<MeasuredCheck> {
  const counted = countStatements(engine);
  let report: CheckReport | undefined;
  let longestHoldMs = 0;
  let mostStatementsATurn = 0;
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const engineStartedMs = engine.clock.nowMs();
  engine.clock.nowMs = () => plusMs(engineStartedMs, Math.floor(performance.now() - startedMs));
  const check = engine.monitor.check({ dryRun: false }).then((done) => {
    report = done;
  });
  let turnMs = startedMs;
  let statementsBefore = 0;
  while (report === undefined) {
    await engine.clock.fireNext();
    longestHoldMs = Math.max(longestHoldMs, performance.now() - turnMs);
    turnMs = performance.now();
    mostStatementsATurn = Math.max(mostStatementsATurn, counted.statements() - statementsBefore);
    statementsBefore = counted.statements();
  }
  const durationMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  await check;
  counted.stop();
  engine.clock.nowMs = () => engineStartedMs;
  return {
    report,
    durationMs,
    cpuMs: (user + system) / 1_000,
    longestHoldMs,
    mostStatementsATurn,
    statements: counted.statements(),
    rows: counted.rows(),
  };
}

/** Counts what goes through the connection. BEGIN and COMMIT, which Drizzle prepares once, are not seen. */
function countStatements(engine: TestEngine): { statements(): number; rows(): number; stop(): void } {
  const { $client: client } = engine.db;
  const original = { query: client.query.bind(client), prepare: client.prepare.bind(client) };
  let statements = 0;
  let rows = 0;
  const noting = (ask: (sql: string) => unknown) => (sql: string) => {
    statements++;
    const statement = ask(sql);
    return new Proxy(statement as object, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...params: unknown[]) => {
          const result = value.apply(target, params);
          if (Array.isArray(result)) rows += result.length;
          return result;
        };
      },
    });
  };
  Object.assign(client, { query: noting(original.query), prepare: noting(original.prepare) });
  return { statements: () => statements, rows: () => rows, stop: () => Object.assign(client, original) };
}
