import { expect, test } from "bun:test";
import { HOUR_MS } from "../../src/core/units.ts";
import { ADMIN_TOKEN, createTestApi, RUNTIME_TOKEN } from "../support/api.ts";

test("without a token, with an unknown one and with another scheme an admin route answers 401 and says how to ask", async () => {
  const { get } = createTestApi();
  const answers = [
    await get("/api/admin/sync-status", { token: null }),
    await get("/api/admin/sync-status", { token: "unknown" }),
    await get("/api/admin/sync-status", { token: null, headers: { authorization: `Basic ${ADMIN_TOKEN}` } }),
    await get("/api/admin/no-such-route", { token: null }),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toStartWith("Bearer");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ status: 401, code: "unauthorized", title: "Unauthorized" });
  }
});

test("the configured token and the running daemon's own have every right", async () => {
  const { post } = createTestApi();
  for (const token of [ADMIN_TOKEN, RUNTIME_TOKEN]) {
    expect((await post("/api/admin/tokens", { label: "x", scope: "admin" }, { token })).status).toBe(201);
  }
});

test("each scope holds those before it, and no more", async () => {
  const { get, post, patch, delete: erase, token } = createTestApi();
  const attempts = async (scope: "read" | "operate" | "admin") => {
    const how = { token: token(scope) };
    return [
      (await get("/api/admin/athletes/1", how)).status,
      (await post("/api/admin/health/check", {}, how)).status,
      (await post("/api/admin/athletes/1/sync/stop", {}, how)).status,
      (await patch("/api/admin/athletes/1", { hidden: false }, how)).status,
      (await erase("/api/admin/athletes/99", how)).status,
    ];
  };
  expect(await attempts("read")).toEqual([200, 403, 403, 403, 403]);
  expect(await attempts("operate")).toEqual([200, 200, 409, 403, 403]);
  expect(await attempts("admin")).toEqual([200, 200, 409, 200, 404]);
});

test("a token too small is told what is missing, before its body is looked at", async () => {
  const { post, token } = createTestApi();
  const answer = await post("/api/admin/athletes", "{ not json", { token: token("operate") });
  expect(answer.status).toBe(403);
  expect(answer.body).toMatchObject({ code: "forbidden" });
  expect(answer.headers.get("www-authenticate")).toContain('scope="admin"');
});

test("a token is good until the moment it expires", async () => {
  const { get, token, engine } = createTestApi();
  const how = { token: token("read", HOUR_MS) };
  expect((await get("/api/admin/quota", how)).status).toBe(200);
  await engine.clock.advance(HOUR_MS - 1);
  expect((await get("/api/admin/quota", how)).status).toBe(200);
  await engine.clock.advance(1);
  expect((await get("/api/admin/quota", how)).status).toBe(401);
});

test("a token is made, shown once, kept as a hash, works, shows its last use, and is dead once revoked", async () => {
  const { get, post, delete: erase, engine } = createTestApi();
  const made = await post("/api/admin/tokens", { label: "club wall", scope: "read" });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ id: 1, label: "club wall", scope: "read", expires_at: null, last_used_at: null });
  const { token } = made.body;
  expect(token).toMatch(/^bw_[\w-]{43}$/);
  expect((await get("/api/admin/quota", { token })).status).toBe(200);
  const usedAtMs = engine.clock.nowMs();
  await engine.clock.advance(1);
  const listed = await get("/api/admin/tokens");
  expect(listed.body.items).toMatchObject([{ id: 1, last_used_at: usedAtMs }]);
  expect(listed.text).not.toContain(token);
  expect(JSON.stringify(engine.db.$client.query("SELECT * FROM admin_tokens").all())).not.toContain(token);
  expect((await erase("/api/admin/tokens/1")).body).toEqual({ id: 1, revoked: true });
  expect((await get("/api/admin/quota", { token })).status).toBe(401);
  expect((await erase("/api/admin/tokens/1")).body).toMatchObject({ status: 404, code: "token_unknown" });
});

test("a token that would be dead at birth is refused", async () => {
  const { post, engine } = createTestApi();
  const nowMs = engine.clock.nowMs();
  const make = (expires_at: number) => post("/api/admin/tokens", { label: "x", scope: "read", expires_at });
  expect((await make(nowMs)).status).toBe(422);
  expect((await make(nowMs + 1)).status).toBe(201);
});
