import { expect, test } from "bun:test";
import { createTestApi } from "../support/api.ts";

const NEW = {
  strava_id: 4_000_000_001,
  first_name: "Nova",
  last_name: "Nettle",
  access_token: "access-of-nova",
  refresh_token: "refresh-of-nova",
  expires_at: 1_763_400_000,
  scope: "read,activity:read_all",
};

test("importing an athlete answers 201 with the athlete, starts nothing, and stores no token in the clear", async () => {
  const { post, engine } = createTestApi();
  const answer = await post("/api/admin/athletes", NEW);
  expect(answer.status).toBe(201);
  expect(answer.body).toMatchObject({
    id: 2,
    strava_id: NEW.strava_id,
    status: "connected",
    publish: false,
    last_synced_at: null,
  });
  expect(answer.text).not.toContain("of-nova");
  expect(engine.db.$client.query("SELECT * FROM syncs").all()).toEqual([]);
  const stored = engine.db.$client.query("SELECT * FROM strava_tokens WHERE athlete_id = 2").all();
  expect(stored).toMatchObject([{ expires_at_ms: NEW.expires_at * 1000 }]);
  expect(JSON.stringify(stored)).not.toContain("of-nova");
});

test("importing a known athlete answers 200, replaces the tokens, and connects one who had to reconnect", async () => {
  const { get, post, engine } = createTestApi();
  await post("/api/admin/athletes", NEW);
  engine.db.$client.run("UPDATE athletes SET status = 'needs_reconnect', status_reason = 'x' WHERE id = 2");
  const again = await post("/api/admin/athletes", { ...NEW, expires_at: NEW.expires_at + 1 });
  expect(again.status).toBe(200);
  expect(again.body).toMatchObject({ id: 2, status: "connected", status_reason: null });
  const stored = engine.db.$client.query("SELECT expires_at_ms FROM strava_tokens WHERE athlete_id = 2").get();
  expect(stored).toEqual({ expires_at_ms: (NEW.expires_at + 1) * 1000 });
  expect((await get("/api/admin/athletes")).body.items).toHaveLength(2);
});

test("milliseconds where Strava gives seconds are refused", async () => {
  const { post } = createTestApi();
  expect((await post("/api/admin/athletes", { ...NEW, expires_at: 9_999_999_999 })).status).toBe(201);
  expect((await post("/api/admin/athletes", { ...NEW, expires_at: 10_000_000_000 })).status).toBe(422);
});

test("the list of athletes is read page by page, each athlete once", async () => {
  const { get } = createTestApi({ sandbox: { club: { athletes: 5, activitiesEach: 1, racesEach: 0 } } });
  const ids: number[] = [];
  let cursor: string | null = "";
  for (let pages = 0; cursor !== null && pages < 10; pages++) {
    const page = await get(`/api/admin/athletes?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
    ids.push(...page.body.items.map((item: { id: number }) => item.id));
    cursor = page.body.next_cursor;
  }
  expect(ids).toEqual([1, 2, 3, 4, 5]);
  expect(cursor).toBeNull();
});

test("athletes are found by status, by a part of their name, and by their id at Strava", async () => {
  const { get, post, engine } = createTestApi();
  await post("/api/admin/athletes", { ...NEW, last_name: "100%_net" });
  engine.db.$client.run("UPDATE athletes SET status = 'needs_reconnect' WHERE id = 1");
  const idsOf = async (query: string) =>
    (await get(`/api/admin/athletes?${query}`)).body.items.map((item: { id: number }) => item.id);
  expect(await idsOf("status=needs_reconnect")).toEqual([1]);
  expect(await idsOf("status=disconnected")).toEqual([]);
  expect(await idsOf("q=nova")).toEqual([2]);
  expect(await idsOf(`q=${encodeURIComponent("a 100%_")}`)).toEqual([2]);
  expect(await idsOf(`q=${encodeURIComponent("_")}`)).toEqual([2]);
  expect(await idsOf(`q=${NEW.strava_id}`)).toEqual([2]);
});

test("consent is recorded with time and actor, and hiding leaves it alone", async () => {
  const { patch, token, engine } = createTestApi();
  const consented = await patch("/api/admin/athletes/1", { publish: true }, { token: token("admin") });
  const atMs = engine.clock.nowMs();
  expect(consented.body).toMatchObject({ publish: true, publish_changed_at: atMs, publish_changed_by: "token:1" });
  await engine.clock.advance(1_000);
  const hidden = await patch("/api/admin/athletes/1", { hidden: true });
  expect(hidden.body).toMatchObject({ hidden: true, publish: true, publish_changed_at: atMs });
  expect((await patch("/api/admin/athletes/99", { hidden: true })).body.code).toBe("athlete_unknown");
});

test("erasing an athlete takes everything of theirs at once, and leaves only the sealed token to revoke", async () => {
  const { get, post, delete: erase, settle, engine } = createTestApi();
  await post("/api/admin/athletes/1/sync");
  await settle();
  engine.db.$client.run("INSERT INTO findings (kind, sync_id, athlete_id) VALUES ('no_progress', 1, 1)");
  const sealed = engine.db.$client.query("SELECT refresh_token_sealed FROM strava_tokens").get();
  const answer = await erase("/api/admin/athletes/1");
  expect(answer.status).toBe(202);
  for (const table of ["athletes", "strava_tokens", "races", "syncs", "batches", "sync_logs", "findings"]) {
    expect([table, engine.db.$client.query(`SELECT * FROM ${table}`).all()]).toEqual([table, []]);
  }
  expect(
    engine.db.$client.query("SELECT seal_context, token_sealed AS refresh_token_sealed FROM revocations").all(),
  ).toEqual([{ seal_context: "athlete:1:refresh", ...(sealed as object) }]);
  expect((await get("/api/admin/athletes/1")).status).toBe(404);
  expect((await erase("/api/admin/athletes/1")).body.code).toBe("athlete_unknown");
});

test("an athlete who is erased while their sync runs is asked for no more, and nothing of theirs comes back", async () => {
  const api = createTestApi({ sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 } });
  await api.post("/api/admin/athletes/1/sync");
  await api.engine.clock.advance(250);
  await api.delete("/api/admin/athletes/1");
  const asked = () => api.engine.sandbox.ledger().length;
  await api.engine.clock.advance(0);
  const askedBefore = asked();
  await api.engine.clock.advance(60_000);
  expect(asked()).toBe(askedBefore);
  expect(api.engine.db.$client.query("SELECT * FROM races").all()).toEqual([]);
});
