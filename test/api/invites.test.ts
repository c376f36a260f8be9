import { expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../src/core/units.ts";
import { createTestApi } from "../support/api.ts";

const START = "/api/admin/invites";

test("an invitation is shown once, as the link to send; the list tells its state and never the link", async () => {
  const { get, post, engine } = createTestApi({ publicUrl: "https://club.example/bw", started: false });
  const nowMs = engine.clock.nowMs();
  const made = await post(START, { label: "for Bo", expires_in: "2d" });
  expect(made.status).toBe(201);
  expect(made.body).toEqual({
    id: 1,
    label: "for Bo",
    state: "open",
    created_at: nowMs,
    created_by: "admin",
    expires_at: nowMs + 2 * DAY_MS,
    used_at: null,
    used_by_athlete_id: null,
    url: expect.stringMatching(/^https:\/\/club\.example\/bw\/auth\/strava\?invite=[\w-]{43}$/),
  });
  const { url: _shownOnce, ...kept } = made.body;
  expect((await get(START)).body).toEqual({ items: [kept], next_cursor: null });
  const token = new URL(made.body.url).searchParams.get("invite") ?? "";
  expect(Buffer.from(engine.db.$client.serialize()).includes(token)).toBe(false);
  await engine.clock.advance(2 * DAY_MS);
  expect((await get(START)).body.items).toMatchObject([{ state: "expired" }]);
});

test("a week unless something else is said, from a minute to 90 days; anything else is refused by name", async () => {
  const { post, engine } = createTestApi();
  const lives = async (body?: object) => {
    const made = await post(START, body);
    return made.status === 201 ? made.body.expires_at - engine.clock.nowMs() : made.status;
  };
  expect(await lives()).toBe(7 * DAY_MS);
  expect([await lives({ expires_in: "1m" }), await lives({ expires_in: "90d" })]).toEqual([MINUTE_MS, 90 * DAY_MS]);
  for (const expires_in of ["59s", "91d", "7", "soon", "-1d", "", "0d"]) expect(await lives({ expires_in })).toBe(422);
  expect([await lives({ expires_in: 7 }), await lives({ label: "x".repeat(201) })]).toEqual([422, 422]);
  const refused = await post(START, { expires_in: "soon" });
  expect(refused.body).toMatchObject({ code: "invalid_request", errors: [{ field: "expires_in" }] });
});

test("the list goes page by page, the newest first", async () => {
  const { get, post } = createTestApi();
  for (const label of ["a", "b", "c"]) await post(START, { label });
  const labels = async (query: string) => {
    const { items, next_cursor } = (await get(START + query)).body;
    return [items.map((item: { label: string }) => item.label), next_cursor];
  };
  const [newest, cursor] = await labels("?limit=2");
  expect(newest).toEqual(["c", "b"]);
  expect(await labels(`?limit=2&cursor=${cursor}`)).toEqual([["a"], null]);
  expect((await get(`${START}?cursor=nonsense`)).status).toBe(422);
});

test("one that is taken back is gone, and an unknown one is 404", async () => {
  const api = createTestApi();
  await api.post(START);
  expect((await api.delete(`${START}/1`)).body).toEqual({ id: 1, revoked: true });
  const again = await api.delete(`${START}/1`);
  expect([again.status, again.body.code]).toEqual([404, "invite_unknown"]);
  expect((await api.delete(`${START}/x`)).status).toBe(404);
});

test("making and taking back wants the scope admin, looking at the list read", async () => {
  const api = createTestApi();
  const [read, operate] = [api.token("read"), api.token("operate")];
  expect((await api.post(START, {}, { token: operate })).status).toBe(403);
  expect((await api.delete(`${START}/1`, { token: operate })).status).toBe(403);
  expect((await api.get(START, { token: read })).status).toBe(200);
  expect((await api.get("/api/admin/connect", { token: read })).status).toBe(200);
  for (const path of [START, "/api/admin/connect"]) expect((await api.get(path, { token: null })).status).toBe(401);
});
