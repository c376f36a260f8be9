import { describe, expect, test } from "bun:test";
import { createTestApi } from "../support/api.ts";
import { ONE_CONNECTED, personAt, signIn, untilCallback } from "../support/sign-in.ts";

const ROBBERY = `<script>alert("O'Brien & sons")</script>`;

test("the admin sees the links to send, who may connect, and how many have", async () => {
  const open = createTestApi();
  expect((await open.get("/api/admin/connect")).body).toEqual({
    link: "http://127.0.0.1:8720/auth/strava",
    reconnect_link: "http://127.0.0.1:8720/auth/strava?again",
    callback_url: "http://127.0.0.1:8720/auth/strava/callback",
    is_public: false,
    strava_configured: true,
    mode: "open",
    club_id: null,
    athletes: { connected: 1, needs_reconnect: 0, capacity: null },
    capacity_reached_at: null,
    open_invites: 0,
  });
  const closed = createTestApi({
    withoutStrava: true,
    publicUrl: "https://club.example/bw",
    connect: { mode: "invite", clubId: 7, athleteCapacity: 9 },
  });
  closed.engine.db.$client.run("UPDATE athletes SET status = 'needs_reconnect'");
  await closed.post("/api/admin/invites");
  expect((await closed.get("/api/admin/connect")).body).toMatchObject({
    link: "https://club.example/bw/auth/strava",
    is_public: true,
    strava_configured: false,
    mode: "invite",
    club_id: 7,
    athletes: { connected: 0, needs_reconnect: 1, capacity: 9 },
    open_invites: 1,
  });
});

test("without Strava's credentials both pages say so with 409, and a problem is no page", async () => {
  const api = createTestApi({ withoutStrava: true });
  for (const path of ["/auth/strava", "/auth/strava?again", "/auth/strava/callback?state=x&code=y"]) {
    const page = await api.visit(path);
    expect([path, page.status]).toEqual([path, 409]);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.text).toContain("STRAVA_CLIENT_ID");
  }
  const problem = await api.get("/auth/nowhere");
  expect([problem.status, problem.headers.get("content-type")]).toEqual([404, "application/problem+json"]);
});

test("an athlete is sent to Strava with everything that it wants, and nothing of it is kept on the way", async () => {
  const api = createTestApi({ publicUrl: "https://club.example" });
  const sent = await api.visit("/auth/strava");
  expect([sent.status, sent.text]).toEqual([302, ""]);
  const { searchParams, origin, pathname } = new URL(sent.headers.get("location") ?? "none:");
  expect(origin + pathname).toBe("https://strava.test/oauth/authorize");
  expect(Object.fromEntries(searchParams)).toEqual({
    client_id: "12345",
    redirect_uri: "https://club.example/auth/strava/callback",
    response_type: "code",
    approval_prompt: "auto",
    scope: "read,activity:read,activity:read_all",
    state: expect.stringMatching(/^[\w-]{43}$/),
  });
  expect(sent.headers.get("cache-control")).toBe("no-store");
  expect(sent.headers.get("referrer-policy")).toBe("no-referrer");
});

describe("every page", () => {
  test("is kept nowhere, loads one stylesheet of our own, runs nothing, and names Strava", async () => {
    const api = createTestApi({ sandbox: { club: ONE_CONNECTED } });
    for (const page of [await signIn(api, 1), await signIn(api, 1, { decision: "cancel" })]) {
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(page.headers.get("cache-control")).toBe("no-store");
      expect(page.headers.get("referrer-policy")).toBe("no-referrer");
      expect(page.headers.get("content-security-policy")).toContain("style-src 'self'");
      expect(page.text).toContain("Powered by Strava");
      expect(page.text).toContain('<meta name="viewport"');
      expect(page.text).not.toMatch(/<script|style=|<style|\son\w+=/);
      const loaded = [...page.text.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)].map(([, href]) => href ?? "");
      expect(loaded).toEqual(["/auth/page.css"]);
    }
    const style = await api.visit("/auth/page.css");
    expect([style.status, style.headers.get("content-type")]).toEqual([200, "text/css; charset=utf-8"]);
    expect(style.text).not.toMatch(/url\(|@import/);
  });

  test("shows a name as it is written, whatever it looks like", async () => {
    const club = { athletes: [{ activities: [] }, { firstName: ROBBERY, activities: [], isConnected: false }] };
    const api = createTestApi({ sandbox: { club } });
    const page = await signIn(api, 1);
    expect(page.status).toBe(200);
    expect(page.text).not.toContain("<script");
    expect(page.text).toContain("&#60;script&#62;alert(&#34;O&#39;Brien &#38; sons&#34;)&#60;/script&#62;");
  });

  test("shows nothing that the address brought", async () => {
    const api = createTestApi();
    const [marked, query] = ["zzyzx", new URLSearchParams({ state: "zzyzx", code: "zzyzx", error: "zzyzx" })];
    expect((await api.visit(`/auth/strava/callback?${query}`)).text).not.toContain(marked);
    expect((await api.visit(`/auth/strava?invite=${marked}&again=${marked}`)).text).not.toContain(marked);
  });

  test("is one too where something fails that nobody foresaw, and the log says what", async () => {
    const api = createTestApi();
    api.engine.db.$client.run("DROP TABLE sign_ins");
    const page = await api.visit("/auth/strava");
    expect([page.status, page.headers.get("content-type")]).toEqual([500, "text/html; charset=utf-8"]);
    expect(page.text).not.toContain("sign_ins");
    expect(api.engine.lines.join("\n")).toContain("connect.failed");
  });
});

describe("a public address with a path", () => {
  const PUBLIC = { publicUrl: "https://club.example/run/bw", sandbox: { club: ONE_CONNECTED } };

  test("is served with and without it, so that a proxy may cut it off or pass it on", async () => {
    const api = createTestApi(PUBLIC);
    for (const path of ["/auth/strava", "/run/bw/auth/strava"]) expect((await api.visit(path)).status).toBe(302);
    expect((await api.get("/run/bw/api/admin/athletes")).body.items).toHaveLength(1);
    expect((await api.get("/run/bw/livez")).status).toBe(200);
    const imported = await api.post("/run/bw/api/admin/invites", { label: "by the proxy" });
    expect(imported.body).toMatchObject({ label: "by the proxy" });
    expect((await api.get("/run/bw/swagger")).status).toBe(200);
    for (const path of ["/run/bw", "/run/bw/", "/"]) {
      expect((await api.get(path)).headers.get("location")).toBe("/run/bw/swagger");
    }
    for (const path of ["/run/bwlivez", "/run/bwx/livez", "/run/livez", "/bw/livez"])
      expect((await api.get(path)).status).toBe(404);
  });

  test("is in every address of a page, and Strava sends back to it", async () => {
    const api = createTestApi({ ...PUBLIC, connect: { athleteCapacity: 1 } });
    const callback = await untilCallback(api, 1, { link: "/run/bw/auth/strava?again" });
    expect(String(callback)).toStartWith("https://club.example/run/bw/auth/strava/callback?");
    const page = await api.visit(String(callback));
    expect(page.text).toContain('href="/run/bw/auth/page.css"');
    expect((await api.visit("/run/bw/auth/page.css")).status).toBe(200);
    expect((await api.visit("/auth/strava")).text).toContain('href="/run/bw/auth/strava?again"');
  });

  test("that is the beginning of our own paths leaves those what they are", async () => {
    const api = createTestApi({ ...PUBLIC, publicUrl: "https://club.example/api" });
    expect((await api.get("/api/admin/athletes")).status).toBe(200);
    expect((await api.get("/api/api/admin/athletes")).status).toBe(200);
    expect((await api.visit("/api/auth/strava")).status).toBe(302);
  });

  test("keeps what a route is asked: a wrong token stays 401, a body too large 413", async () => {
    const api = createTestApi(PUBLIC);
    expect((await api.get("/run/bw/api/admin/athletes", { token: "wrong" })).status).toBe(401);
    const body = { label: "x".repeat(70_000) };
    expect((await api.post("/run/bw/api/admin/invites", body)).status).toBe(413);
  });
});

test("an athlete who needs to reconnect is shown with the link to send; a sync that is refused names it too", async () => {
  const api = createTestApi({ publicUrl: "https://club.example", sandbox: { club: ONE_CONNECTED } });
  api.engine.sandbox.revokeGrant(personAt(api, 0).stravaId);
  await api.post("/api/admin/athletes/1/sync");
  await api.settle();
  const link = "https://club.example/auth/strava?again";
  const { items } = (await api.get("/api/admin/athletes?status=needs_reconnect")).body;
  expect(items).toMatchObject([{ reconnect_url: link, needs_reconnect_since: expect.any(Number) }]);
  const refused = await api.post("/api/admin/athletes/1/sync");
  expect([refused.status, refused.body.code, refused.body.detail.includes(link)]).toEqual([
    409,
    "needs_reconnect",
    true,
  ]);
  // An import mends the athlete as well.
  const { stravaId } = personAt(api, 0);
  const athlete = api.engine.sandbox.grantAgain(stravaId);
  const mended = await api.post("/api/admin/athletes", {
    strava_id: stravaId,
    first_name: "A",
    last_name: "B",
    access_token: athlete.accessToken,
    refresh_token: athlete.refreshToken,
    expires_at: athlete.expiresAtSeconds,
  });
  expect([mended.status, mended.body]).toMatchObject([
    200,
    { status: "connected", reconnect_url: null, needs_reconnect_since: null },
  ]);
});
