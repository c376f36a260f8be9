import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeDatabase, openDatabase } from "../../src/db/open.ts";
import { ADMIN_TOKEN, createTestApi } from "../support/api.ts";

test("malformed JSON is 400, and what the schema refuses is 422 with the field and never its value", async () => {
  const { post } = createTestApi();
  const malformed = await post("/api/admin/athletes", '{"strava_id": 1,');
  expect(malformed.status).toBe(400);
  expect(malformed.body).toMatchObject({ code: "malformed_json", status: 400 });
  const refused = await post("/api/admin/athletes", { strava_id: "12", first_name: 7, access_token: ["s3cret-value"] });
  expect(refused.status).toBe(422);
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  expect(refused.body.code).toBe("invalid_request");
  expect(refused.body.errors).toContainEqual({
    field: "first_name",
    message: "expected text, 200 characters or fewer",
  });
  expect(refused.body.errors.map((error: { field: string }) => error.field)).toEqual(
    expect.arrayContaining(["strava_id", "first_name", "last_name", "access_token", "refresh_token", "expires_at"]),
  );
  expect(refused.text).not.toContain("s3cret-value");
});

test("a body that is JSON and no object is 422", async () => {
  const { post } = createTestApi();
  for (const body of ["[1]", "7", "null", '"full"']) {
    expect((await post("/api/admin/athletes/1/sync", body)).body).toMatchObject({
      status: 422,
      code: "invalid_request",
    });
  }
  expect((await post("/api/admin/syncs/1/pause", "[1]")).status).toBe(422);
});

test("a limit is taken from 1 to 200, and anything else is refused by name", async () => {
  const { get } = createTestApi();
  const statusOf = async (limit: string) => (await get(`/api/admin/races?limit=${limit}`)).status;
  expect(await statusOf("1")).toBe(200);
  expect(await statusOf("200")).toBe(200);
  for (const limit of ["0", "201", "-1", "1.5", "many", ""]) expect(await statusOf(limit)).toBe(422);
  const answer = await get("/api/admin/races?limit=201");
  expect(answer.body.errors).toEqual([{ field: "limit", message: "expected a whole number, 1 to 200" }]);
});

test("an unknown filter value is refused with the words that are known, on every list", async () => {
  const { get } = createTestApi();
  const refused = [
    "/api/admin/syncs?status=done",
    "/api/admin/syncs?state=fine",
    "/api/admin/syncs?phase=third",
    "/api/admin/syncs?athlete_id=x",
    "/api/admin/athletes?status=gone",
    "/api/admin/races?enrichment=half",
    "/api/admin/races?withdrawn=maybe",
    "/api/admin/health?period=1y",
    "/api/admin/health/findings?kind=mystery",
    "/api/admin/health/findings?outcome=lost",
  ];
  for (const path of refused) expect([path, (await get(path)).status]).toEqual([path, 422]);
  expect((await get("/api/admin/syncs?status=done")).body.detail).toContain(
    "status: expected one of in_progress, completed, failed, cancelled",
  );
});

test("a cursor that no list gave is refused", async () => {
  const { get } = createTestApi();
  for (const path of ["/api/admin/syncs?cursor=!", "/api/admin/races?cursor=MQ", "/api/admin/athletes?cursor=MSwy"]) {
    expect((await get(path)).body).toMatchObject({ status: 422, code: "invalid_cursor" });
  }
});

test("an unknown route, a method that a route does not have and an id that can be none are 404", async () => {
  const { get, post, delete: erase } = createTestApi();
  expect((await get("/api/admin/nothing")).body).toMatchObject({ status: 404, code: "route_unknown" });
  expect((await get("/nothing", { token: null })).body).toMatchObject({ status: 404, code: "route_unknown" });
  expect((await post("/api/admin/sync-status")).body).toMatchObject({ status: 404, code: "route_unknown" });
  expect((await erase("/api/admin/syncs/1")).body).toMatchObject({ status: 404, code: "route_unknown" });
  for (const id of ["0", "-1", "99", "abc", "1e3", "99999999999999999999"]) {
    expect((await get(`/api/admin/athletes/${id}`)).body).toMatchObject({ status: 404, code: "athlete_unknown" });
    expect((await get(`/api/admin/syncs/${id}`)).body).toMatchObject({ status: 404, code: "sync_unknown" });
  }
});

test("a body of 64 kB passes the gate, and one byte more is 413, whatever length it claims", async () => {
  const { post, api } = createTestApi();
  const limit = 64 * 1024;
  const bodyOf = (byteCount: number) => `{"label":"${"x".repeat(byteCount - '{"label":""}'.length)}"}`;
  expect((await post("/api/admin/tokens", bodyOf(limit))).status).toBe(422);
  expect((await post("/api/admin/tokens", bodyOf(limit + 1))).body).toMatchObject({ status: 413, code: "too_large" });
  const chunk = new TextEncoder().encode("x".repeat(1024));
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent++;
      controller.enqueue(chunk);
    },
  });
  const response = await api.fetch(
    new Request("http://localhost/api/admin/tokens", {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: endless,
    }),
  );
  expect(response.status).toBe(413);
  expect(sent).toBeLessThan(80);
});

test("what nobody foresaw is 500, logged, and leaks nothing", async () => {
  const { get, engine } = createTestApi();
  engine.db.$client.run("DROP TABLE findings");
  const answer = await get("/api/admin/health/findings");
  expect(answer.status).toBe(500);
  expect(answer.body).toMatchObject({ code: "internal" });
  expect(answer.text).not.toContain("no such table");
  expect(engine.lines.join("\n")).toContain("no such table");
});

test("a foreign writer's lock is 503 database_busy for a write, and reading goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "broomwagon-api-"));
  const path = join(folder, "broomwagon.sqlite");
  const db = openDatabase(path);
  const { get, post } = createTestApi({ db, started: false });
  const foreign = openDatabase(path, { mode: "write" });
  foreign.$client.run("BEGIN IMMEDIATE");
  expect((await post("/api/admin/athletes/1/sync")).body).toMatchObject({ status: 503, code: "database_busy" });
  expect((await get("/api/admin/sync-status")).status).toBe(200);
  const ready = await get("/readyz", { token: null });
  expect(ready.status).toBe(503);
  foreign.$client.run("ROLLBACK");
  expect((await post("/api/admin/athletes/1/sync")).status).toBe(202);
  closeDatabase(foreign);
  closeDatabase(db);
  rmSync(folder, { recursive: true });
});

test("every answer carries the security headers, and none with data may be kept", async () => {
  const { get } = createTestApi();
  for (const path of ["/api/admin/athletes", "/api/admin/nothing", "/livez", "/swagger", "/"]) {
    const { headers } = await get(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("content-security-policy")).toStartWith(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'",
    );
  }
  expect((await get("/api/admin/athletes")).headers.get("cache-control")).toBe("no-store");
});

test("HEAD answers as GET does, without a body", async () => {
  const { api } = createTestApi();
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const response = await api.fetch(new Request("http://localhost/api/admin/athletes", { method: "HEAD", headers }));
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("");
});
