import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../../src/cli/world.ts";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config.ts";
import { SECOND_MS } from "../../src/core/units.ts";
import { startDaemon } from "../../src/daemon.ts";
import { readExposition } from "../support/exposition.ts";

const LIMIT_MS = 10 * SECOND_MS;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

test("a real daemon tells the address outside of its first check, and shows metrics to whoever the operator lets", async () => {
  const directory = mkdtempSync(join(tmpdir(), "broomwagon-watched-"));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
  const env = {
    BROOMWAGON_PORT: "0",
    BROOMWAGON_DATA_DIR: directory,
    BROOMWAGON_PING_URL: "https://ping.test/id?x=1",
    BROOMWAGON_METRICS_PUBLIC: "true",
  };
  const loaded = loadConfig({ flags: {}, env, readFile: () => undefined, isTerminal: false });
  if (!loaded.ok) throw new Error("the configuration is refused");
  const asked: string[] = [];
  const daemon = await startDaemon({
    config: loaded.config,
    version: "1.2.3",
    writeLogLine: () => {},
    fetch: async (request) => {
      asked.push(request.url);
      return new Response("OK");
    },
  });
  ends.push(() => daemon.stop());
  for (const startMs = systemClock.nowMs(); asked.length < 2 && systemClock.nowMs() < startMs + LIMIT_MS; ) {
    await pause(systemClock, 5);
  }
  expect(asked.slice(0, 2)).toEqual(["https://ping.test/id/start?x=1", "https://ping.test/id?x=1"]);
  const metrics = await fetch(`${daemon.url}/metrics`);
  expect(metrics.status).toBe(200);
  const families = readExposition(await metrics.text());
  const sampleOf = (name: string) => families.get(`broomwagon_${name}`)?.samples.get(`broomwagon_${name}{}`) ?? 0;
  expect(sampleOf("database_size_bytes")).toBeGreaterThan(4_096);
  expect(sampleOf("database_log_bytes")).toBeGreaterThan(0);
  expect(sampleOf("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  expect(sampleOf("process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(sampleOf("health_checks_total")).toBeGreaterThanOrEqual(1);
});
