import { expect, test } from "bun:test";
import { replayIncident } from "../../../src/core/replay-incident.ts";
import { epochMs, MINUTE_MS, type SyncId, syncId } from "../../../src/core/units.ts";
import { readFindings } from "../../../src/db/findings.ts";
import { logSync } from "../../../src/db/sync-logs.ts";
import { readSync } from "../../../src/db/syncs.ts";
import { exportIncident } from "../../../src/health/incidents/export.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "../../support/engine.ts";
import { exportedFrom, incidentConfigOf } from "../../support/exports.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../../support/hand.ts";

const SLOW = { club: { athletes: 1, activitiesEach: 300, racesEach: 65 }, latencyMs: 1_000 };

/** As on 2025-11-17: three batches completed, 20 races left, and a hand has deleted what was to take them. */
async function stalled(options: TestEngineOptions = {}): Promise<{ engine: TestEngine; id: SyncId }> {
  const engine = createTestEngine({ sandbox: SLOW, ...options });
  const id = engine.start();
  const completed = "SELECT id FROM batches WHERE type = 'enrichment' AND status = 'completed'";
  await stepUntil(engine, () => engine.db.$client.query(completed).all().length === 3);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment' AND status <> 'completed'");
  return { engine, id };
}

test("an incident of the real engine: the replay finds what the monitor found, at the same moment, and then no more", async () => {
  const { engine, id } = await stalled();
  await tickMinutes(engine, 4);
  expect(readSync(engine.db, id)?.status).toBe("completed");
  const [finding] = readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 10);
  const { troubles } = replayIncident(exportedFrom(engine, id));
  expect(troubles).toHaveLength(1);
  expect(troubles[0]).toMatchObject({
    kind: "missing_enrichment_batches",
    foundAtMs: finding?.detectedAtMs ?? -1,
    checks: 1,
    beganAtMs: finding?.beganAtMs ?? -1,
    message: finding?.message ?? "",
    evidence: { races_pending: 20, races_unserved: 20, completed_batches: 3, batches_to_create: 2 },
  });
});

test("what no check saw is taken to have come about when the file was written, and the file says so", async () => {
  const { engine, id } = await stalled();
  await engine.clock.advance(80 * MINUTE_MS);
  const { troubles } = replayIncident(exportedFrom(engine, id));
  expect(troubles).toMatchObject([{ kind: "missing_enrichment_batches", checks: 1, goneAtMs: undefined }]);
  expect(exportedFrom(engine, id).gaps.join("\n")).toContain("2 batches have no row left");
});

test("a sync that went well tells of its batches, claims and races with recorded times, and the replay finds nothing", async () => {
  const engine = createTestEngine({ sandbox: SLOW });
  const id = engine.start();
  await tickMinutes(engine, 3);
  const incident = exportedFrom(engine, id);
  expect(incident.sync).toMatchObject({ status: "completed", races_enriched: 65, ended_by: "daemon" });
  expect(incident.sync.phases.map(({ phase, by }) => [phase, by])).toEqual([
    ["discovery", "daemon"],
    ["enrichment", "daemon"],
  ]);
  expect(incident.batches.map(({ size }) => size)).toEqual([1, 1, 1, 15, 15, 15, 15, 5]);
  for (const { states, created_at: createdAt, started_at: startedAt, ended_at: endedAt } of incident.batches) {
    expect(states.map(({ status, by, at }) => [status, by, at])).toEqual([
      ["pending", "daemon", createdAt],
      ["processing", "daemon", startedAt ?? -1],
      ["completed", "daemon", endedAt ?? -1],
    ]);
  }
  expect(incident.races).toHaveLength(65);
  expect(incident.races.every((race) => race.settled === "enriched" && race.is_time_known)).toBe(true);
  expect(incident.races.map(({ number }) => number)).toEqual(Array.from({ length: 65 }, (_, index) => index + 1));
  expect(incident.log.map(({ event }) => event)).toContain("sync.completed");
  expect(incident.quota.windows).toHaveLength(4);
  expect(incident.quota.requests).toContainEqual(
    expect.objectContaining({ phase: "enrichment", status: 200, requests: 65 }),
  );
  expect(incident.daemon.starts).toHaveLength(1);
  expect(replayIncident(incident).troubles).toEqual([]);
});

test("waits, tries and restarts are states with their times", async () => {
  let engine = createTestEngine({
    sandbox: { ...SLOW, quota: { overall: { quarter: 200, day: 2_000 }, read: { quarter: 40, day: 1_000 } } },
  });
  const id = engine.start();
  engine.sandbox.injectFault({ match: { kind: "list" }, times: 1, action: { type: "status", status: 500 } });
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 3);
  engine = engine.rebooted();
  await tickMinutes(engine, 20);
  const incident = exportedFrom(engine, id);
  const states = incident.batches.flatMap((batch) => batch.states);
  const retry = states.find((state) => state.wait_reason === "backoff");
  expect(retry).toMatchObject({ status: "pending", attempts: 1 });
  expect(retry?.run_after).toBe(retry?.waits_until ?? -1);
  const wait = states.find((state) => state.wait_reason === "quota_15min");
  expect(wait?.waits_until).toBeGreaterThan(wait?.at ?? Number.POSITIVE_INFINITY);
  expect(incident.findings.map(({ kind, own_restart }) => [kind, own_restart])).toEqual([
    ["left_by_former_process", true],
  ]);
  expect(states.filter(({ by }) => by === "remedy")).toMatchObject([
    { status: "pending", at: incident.findings[0]?.detected_at },
  ]);
  expect(incident.daemon.starts).toHaveLength(2);
  expect(replayIncident(incident).troubles).toEqual([]);
});

test("races of a bad kind: what failed, and what was not found, is settled by the end of its batch, with its reason", async () => {
  const engine = createTestEngine({ sandbox: { ...SLOW, latencyMs: 100 } });
  const id = engine.start();
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 1, action: { type: "status", status: 404 } });
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 1, action: { type: "status", status: 400 } });
  await tickMinutes(engine, 2);
  const incident = exportedFrom(engine, id);
  const bad = incident.races.filter(({ settled }) => settled !== "enriched");
  expect(bad.map(({ settled, is_time_known }) => [settled, is_time_known]).sort()).toEqual([
    ["failed", false],
    ["unavailable", false],
  ]);
  expect(bad.find(({ settled }) => settled === "failed")?.error).toContain("400");
  expect(incident.gaps.join("\n")).toContain("When a race failed or was not found is not recorded");
});

test("a pause and what resumed it are in the file", async () => {
  const { engine, id } = await stalled();
  const note = (event: string) =>
    logSync(engine.db, { syncId: id, atMs: engine.clock.nowMs(), level: "info", event, message: "By a person." });
  note("sync.paused");
  await engine.clock.advance(MINUTE_MS);
  note("sync.resumed");
  expect(exportedFrom(engine, id).sync.pauses.map(({ paused }) => paused)).toEqual([true, false]);
});

test("a later sync of the athlete may have changed races: the file says so", async () => {
  const { engine, id } = await stalled();
  await tickMinutes(engine, 3);
  expect(exportedFrom(engine, id).gaps.join("\n")).not.toContain("A later sync");
  engine.start(0, { mode: "full" });
  expect(exportedFrom(engine, id).gaps.join("\n")).toContain("A later sync of the same athlete");
});

test("a sync that is not there is not exported", () => {
  const engine = createTestEngine();
  const setting = { config: incidentConfigOf(engine), programVersion: "1.2.3", lastCheckAtMs: null };
  expect(exportIncident(engine.context, syncId(99), setting)).toBeUndefined();
});

test("I10: no token, no name, nothing of a race's contents and no id of Strava's is in an export, wherever it was written", async () => {
  const { engine, id } = await stalled();
  const { db } = engine;
  const ours = "SELECT strava_id FROM athletes UNION ALL SELECT strava_activity_id FROM races";
  const stravaIds = db.$client
    .query<{ strava_id: number }, []>(ours)
    .all()
    .map((row) => String(row.strava_id));
  expect(stravaIds.length).toBe(66);
  const names = ["Zdenka", "Quokkaberry", "Marathon-of-Xylophones"];
  byHand(
    db,
    `UPDATE athletes SET first_name = '${names[0]}', last_name = '${names[1]}', status_reason = 'SECRET-REASON'`,
  );
  byHand(
    db,
    `UPDATE races SET name = '${names[2]}', edited_name = 'EDITED-NAME', description = 'SECRET-DESCRIPTION', polyline = 'SECRET-POLYLINE',
       summary_polyline = 'SECRET-SUMMARY', distance_m = 31337.25, start_local = 'SECRET-LOCAL', timezone = 'SECRET-ZONE', fingerprint = 'SECRET-PRINT'`,
  );
  await tickMinutes(engine, 1);
  // A hand, or a fault that nobody thought of, may write anything into what is meant for operators.
  const all = [
    ...names,
    ...names.map((name) => name.toLowerCase()),
    "EDITED-NAME",
    stravaIds[0],
    stravaIds[5],
    "98765432101",
    "https://club.example/auth?x=1",
  ].join(" ");
  const secret = "access_token=0123456789abcdef0123456789abcdef01234567 mail me@club.example";
  for (const table of ["batches", "syncs"]) byHand(db, `UPDATE ${table} SET error = '${all} ${secret}'`);
  byHand(db, `UPDATE syncs SET warnings = '["${all}"]'`);
  byHand(db, `UPDATE sync_logs SET message = message || ' ${all} ${secret}'`);
  byHand(db, `UPDATE findings SET message = '${all}', evidence = json_set(evidence, '$.note', '${all} ${secret}')`);
  byHand(db, `UPDATE races SET enrichment = 'failed', enrichment_error = '${all}' WHERE id % 2 = 0`);
  byHand(db, "UPDATE batches SET lease_token = 'SECRET-LEASE', owner = 'SECRET-OWNER'");
  byHand(db, `UPDATE findings SET remedy = '{"do":"abort_run","batchId":4,"leaseToken":"SECRET-LEASE","attempts":0}'`);
  const text = JSON.stringify(exportedFrom(engine, id));
  const tokens = engine.sandbox.athletes().flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken]);
  const forbidden = [...names, "EDITED-NAME", "SECRET", "31337", "98765432101", "club.example", "0123456789abcdef"];
  for (const word of [...forbidden, ...stravaIds, ...tokens])
    expect([word, text.includes(word)]).toEqual([word, false]);
  for (const name of names) expect([name, text.toLowerCase().includes(name.toLowerCase())]).toEqual([name, false]);
  // What remains is still of use.
  expect(text).toContain("abort the run of batch 4");
  expect(text).toContain("[removed]");
});

test("rows that a hand has made impossible are exported all the same, and the file can be read", async () => {
  const { engine, id } = await stalled();
  byHand(
    engine.db,
    `UPDATE batches SET number = -number, attempts = -3, completed_at_ms = -1, started_at_ms = 9223372036854775807;
     UPDATE syncs SET phase = 'bogus', completed_at_ms = NULL, warnings = 'torn';
     UPDATE races SET enrichment = 'weird' WHERE id % 5 = 0`,
  );
  await tickMinutes(engine, 3);
  byHand(engine.db, "UPDATE findings SET evidence = 'torn', remedy = '7'");
  const incident = exportedFrom(engine, id);
  expect(incident.sync.warnings).toEqual([]);
  expect(countRaces(engine.db, "pending")).toBe(0);
  expect(() => replayIncident(incident)).not.toThrow();
  expect(incident.exported_at).toBe(epochMs(engine.clock.nowMs()));
});
