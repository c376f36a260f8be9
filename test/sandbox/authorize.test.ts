import { describe, expect, test } from "bun:test";
import { capacityPage } from "../../src/sandbox/authorize-page.ts";
import type { ClubSpec } from "../../src/sandbox/club.ts";
import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { CLIENT, get, json, NOW, NOW_SECONDS, post, type Visit, visit } from "./visit.ts";

const MINUTE_MS = 60_000;
const BACK = "https://club.example/auth/strava/callback";
const ASK = {
  client_id: CLIENT.client_id,
  redirect_uri: BACK,
  response_type: "code",
  approval_prompt: "force",
  scope: "read,activity:read_all",
  state: 'a"<b>&c',
};

/** A place where the second of two has not let the application in; its first athlete is connected. */
function door(options: Partial<SandboxOptions> = {}, club: Partial<ClubSpec> = {}) {
  const athletes = [{ activities: [] }, { activities: [], isConnected: false }, { activities: [], isConnected: false }];
  const place = visit([], { club: { athletes, ...club }, ...options });
  const [connected = 0, stranger = 0, other = 0] = place.sandbox.people().map(({ stravaId }) => stravaId);
  return { place, connected, stranger, other };
}

const open = ({ sandbox }: Visit, query: Record<string, string>): Promise<Response> =>
  sandbox.fetch(new Request(`https://www.strava.example/oauth/authorize?${new URLSearchParams(query)}`));

const agree = (place: Visit, stravaId: number, fields: Record<string, string> = {}): Promise<Response> =>
  post(place, "/oauth/authorize", {
    ...ASK,
    athlete: String(stravaId),
    granted: "activity:read_all",
    decision: "authorize",
    ...fields,
  });

/** Where an answer leads, and with what. */
function led(response: Response): Record<string, unknown> {
  const target = new URL(response.headers.get("location") ?? "nowhere:");
  return {
    status: response.status,
    to: `${target.origin}${target.pathname}`,
    ...Object.fromEntries(target.searchParams),
  };
}

const exchange = (place: Visit, code: unknown): Promise<Response> =>
  post(place, "/oauth/token", { ...CLIENT, grant_type: "authorization_code", code: String(code) });

describe("the authorize page", () => {
  test("asks who signs in and for each scope, carries the request, and runs no script", async () => {
    const { place, connected, stranger } = door();
    const response = await open(place, { ...ASK, scope: "read,activity:read_all,profile:read_all" });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await response.text();
    for (const part of [
      "<strong>club.example</strong>",
      `<option value="${connected}">`,
      `<option value="${stranger}">`,
      '<input type="checkbox" name="granted" value="activity:read_all" checked>',
      '<input type="checkbox" name="granted" value="profile:read_all" checked>',
      '<input type="hidden" name="state" value="a&#34;&#60;b&#62;&#38;c">',
      `<input type="hidden" name="redirect_uri" value="${BACK}">`,
      '<button name="decision" value="authorize">Authorize</button>',
      '<button name="decision" value="cancel" class="quiet">Cancel</button>',
    ]) {
      expect(html).toContain(part);
    }
    for (const other of ["read", "activity:write"]) expect(html).not.toContain(`name="granted" value="${other}"`);
    expect(html).not.toContain("<script");
    expect(place.sandbox.ledger()).toMatchObject([{ kind: "authorize", status: 200, isCounted: false }]);
  });

  test("proposes whom the query names", async () => {
    const { place, stranger } = door();
    const html = await (await open(place, { ...ASK, athlete: String(stranger) })).text();
    expect(html).toContain(`<option value="${stranger}" selected>`);
    expect(html.match(/ selected/g)).toHaveLength(1);
  });

  test("who has allowed all of it is led back without a question, unless the application forces it", async () => {
    const { place, connected, stranger } = door();
    const auto = { ...ASK, approval_prompt: "auto", athlete: String(connected) };
    expect(led(await open(place, auto))).toMatchObject({ status: 302, to: BACK, scope: "read,activity:read_all" });
    expect((await open(place, { ...auto, approval_prompt: "force" })).status).toBe(200);
    expect((await open(place, { ...auto, scope: "read,activity:write" })).status).toBe(200);
    expect((await open(place, { ...auto, athlete: String(stranger) })).status).toBe(200);
    place.sandbox.revokeGrant(connected);
    expect((await open(place, auto)).status).toBe(200);
  });

  test.each([
    [{ client_id: "1" }, "Application", "client_id"],
    [{ redirect_uri: "javascript:alert(1)" }, "Application", "redirect_uri"],
    [{ redirect_uri: "/auth" }, "Application", "redirect_uri"],
    [{ response_type: "token" }, "Authorize", "response_type"],
    [{ approval_prompt: "maybe" }, "Authorize", "approval_prompt"],
    [{ scope: "read,everything" }, "Authorize", "scope"],
    [{ scope: "" }, "Authorize", "scope"],
    [{ athlete: "1" }, "Athlete", "id"],
  ])("%j is a bad request, and leads nowhere", async (wrong, resource, field) => {
    const { place, stranger } = door();
    for (const response of [await open(place, { ...ASK, ...wrong }), await agree(place, stranger, wrong)]) {
      expect([response.status, response.headers.get("location")]).toEqual([400, null]);
      expect(await json(response)).toMatchObject({ errors: [{ resource, field }] });
    }
  });

  test("an application with a callback domain may lead back there and to the machine itself, nowhere else", async () => {
    const { place } = door({ callbackDomain: "club.example" });
    const statusFor = async (redirect_uri: string) => (await open(place, { ...ASK, redirect_uri })).status;
    for (const good of [BACK, "https://app.club.example/x", "http://localhost:8720/x", "http://127.0.0.1/x"]) {
      expect(await statusFor(good)).toBe(200);
    }
    for (const bad of ["https://otherclub.example/x", "https://club.example.evil.example/x"]) {
      expect(await statusFor(bad)).toBe(400);
    }
  });
});

describe("the athlete's decision", () => {
  test("agreeing leads back with the state, a code and what was ticked", async () => {
    const { place, stranger } = door();
    const answer = led(await agree(place, stranger));
    expect(answer).toMatchObject({ status: 302, to: BACK, state: ASK.state, scope: "read,activity:read_all" });
    expect(answer).toHaveProperty("code", expect.stringMatching(/^[0-9a-f]{40}$/));
  });

  test("boxes of one name are one list; an unticked one, and one that was not asked for, are not granted", async () => {
    const { place, stranger } = door();
    const wide = { ...ASK, scope: "read,activity:read,activity:read_all,profile:read_all" };
    const body = new URLSearchParams({ ...wide, athlete: String(stranger), decision: "authorize" });
    for (const scope of ["activity:read", "profile:read_all", "activity:write"]) body.append("granted", scope);
    const ticked = new Request("https://www.strava.example/oauth/authorize", { method: "POST", body });
    expect(led(await place.sandbox.fetch(ticked))).toMatchObject({ scope: "read,activity:read,profile:read_all" });
    expect(led(await agree(place, stranger, { granted: "" }))).toMatchObject({ scope: "read" });
  });

  test("cancelling leads back with the state and the denial; nothing is granted", async () => {
    const { place, stranger } = door();
    const denied = led(await agree(place, stranger, { decision: "cancel", redirect_uri: `${BACK}?from=menu` }));
    expect(denied).toEqual({ status: 302, to: BACK, from: "menu", state: ASK.state, error: "access_denied" });
    expect(place.sandbox.people()).toMatchObject([{ isConnected: true }, { isConnected: false }, {}]);
  });

  test("a form without a decision or without an athlete is a bad request", async () => {
    const { place, stranger } = door();
    expect((await agree(place, stranger, { decision: "" })).status).toBe(400);
    expect((await post(place, "/oauth/authorize", { ...ASK, decision: "authorize" })).status).toBe(400);
  });
});

describe("the exchange", () => {
  test("gives tokens that work, the scope, and the athlete, and makes them one of the club's connected", async () => {
    const { place, stranger } = door();
    expect(place.sandbox.athletes().map(({ stravaId }) => stravaId)).not.toContain(stranger);
    const { code } = led(await agree(place, stranger));
    const response = await exchange(place, code);
    expect(response.status).toBe(200);
    const tokens = await json(response);
    expect(tokens).toMatchObject({
      token_type: "Bearer",
      expires_in: 21_600,
      expires_at: NOW_SECONDS + 21_600,
      scope: "read,activity:read_all",
      athlete: { id: stranger, resource_state: 2, firstname: expect.any(String) },
    });
    expect((await get(place, "/athlete/activities", String(tokens.access_token))).status).toBe(200);
    expect(place.sandbox.athletes()).toContainEqual(
      expect.objectContaining({ stravaId: stranger, refreshToken: tokens.refresh_token }),
    );
    expect(place.sandbox.ledger().find(({ kind }) => kind === "token")).toMatchObject({
      stravaId: stranger,
      isCounted: false,
    });
  });

  test("a code is good once, and for ten minutes", async () => {
    const { place, stranger } = door();
    const used = place.sandbox.authorize(stranger);
    expect([(await exchange(place, used)).status, (await exchange(place, used)).status]).toEqual([200, 400]);
    const [lasting, late] = [place.sandbox.authorize(stranger), place.sandbox.authorize(stranger)];
    place.clock.jumpTo(NOW + 10 * MINUTE_MS - 1);
    expect((await exchange(place, lasting)).status).toBe(200);
    place.clock.jumpTo(NOW + 10 * MINUTE_MS);
    for (const dead of [used, late]) {
      const refused = await exchange(place, dead);
      expect(refused.status).toBe(400);
      expect(await json(refused)).toEqual({
        message: "Bad Request",
        errors: [{ resource: "AuthorizationCode", field: "code", code: "invalid" }],
      });
    }
  });

  test("a wrong client does not use the code up", async () => {
    const { place, stranger } = door();
    const code = place.sandbox.authorize(stranger);
    const wrong = { ...CLIENT, client_secret: "guess", grant_type: "authorization_code", code };
    expect((await post(place, "/oauth/token", wrong)).status).toBe(401);
    expect((await exchange(place, code)).status).toBe(200);
  });

  test("who connects again gets a new pair: the old refresh token is dead, the old access token works on", async () => {
    const { place, connected } = door();
    const before = place.athlete;
    const tokens = await json(exchange(place, place.sandbox.authorize(connected, { scope: "read,activity:read" })));
    expect(tokens).toMatchObject({ scope: "read,activity:read" });
    expect((await get(place, "/athlete", before.accessToken)).status).toBe(200);
    const refresh = { ...CLIENT, grant_type: "refresh_token" };
    expect((await post(place, "/oauth/token", { ...refresh, refresh_token: before.refreshToken })).status).toBe(400);
    place.sandbox.revokeGrant(connected);
    for (const token of [before.accessToken, String(tokens.access_token)]) {
      expect((await get(place, "/athlete", token)).status).toBe(401);
    }
  });
});

describe("capacity", () => {
  test("who would be one more gets a 403 page on authorizing; a place that is free again is given", async () => {
    const { place, connected, stranger, other } = door();
    place.sandbox.setCapacity(2);
    const { code } = led(await agree(place, stranger));
    // A code that is out takes a place already.
    const refused = await agree(place, other);
    expect([refused.status, refused.headers.get("location")]).toEqual([403, null]);
    expect(await refused.text()).toBe(capacityPage());
    expect(capacityPage()).toContain("Error 403: Limit of connected athletes exceeded");
    expect((await exchange(place, code)).status).toBe(200);
    expect((await agree(place, other)).status).toBe(403);
    expect((await agree(place, connected)).status).toBe(302);
    place.sandbox.revokeGrant(connected);
    expect((await agree(place, other)).status).toBe(403);
    // The one who was led back a moment ago holds a code until then.
    place.clock.jumpTo(NOW + 10 * MINUTE_MS);
    expect((await agree(place, other)).status).toBe(302);
  });

  test("the exchange refuses instead, where so switched; the code waits for a place", async () => {
    const { place, connected, stranger } = door();
    place.sandbox.setCapacity(1, "exchange");
    const { code } = led(await agree(place, stranger));
    const refused = await exchange(place, code);
    expect(refused.status).toBe(403);
    expect(await json(refused)).toEqual({
      message: "Forbidden",
      errors: [{ resource: "Application", field: "athletes", code: "limit exceeded" }],
    });
    place.sandbox.revokeGrant(connected);
    expect((await exchange(place, code)).status).toBe(200);
  });
});

describe("clubs of an athlete", () => {
  test("are listed page by page, and counted as a read", async () => {
    const { place, connected } = door({}, { clubs: [11, 22, 33] });
    const first: unknown = await json(get(place, "/athlete/clubs?per_page=2"));
    expect(first).toMatchObject([{ id: 11, resource_state: 2, membership: "member" }, { id: 22 }]);
    expect(await json(get(place, "/athlete/clubs?page=2&per_page=2"))).toMatchObject([{ id: 33 }]);
    expect(await json(get(place, "/athlete/clubs?page=3&per_page=2"))).toEqual([] as never);
    expect(place.sandbox.quota().read.day.used).toBe(3);
    expect(place.sandbox.ledger()[0]).toMatchObject({ kind: "clubs", stravaId: connected, isCounted: true });
    place.sandbox.setClubs(connected, []);
    expect(await json(get(place, "/athlete/clubs"))).toEqual([] as never);
    expect((await get(place, "/athlete/clubs?per_page=201")).status).toBe(400);
    expect((await get(place, "/athlete/clubs", "unknown")).status).toBe(401);
  });

  test("everybody is in the sandbox's own club who does not say otherwise", async () => {
    const { place, stranger } = door();
    expect(place.sandbox.clubs(stranger)).toEqual([97_531]);
    expect(() => place.sandbox.setClubs(1, [])).toThrow(RangeError);
  });
});

test("whose a token is stays Strava's word where activities are said to be another athlete's", async () => {
  const { place, stranger } = door();
  const { code } = led(await agree(place, stranger));
  place.sandbox.injectFault({ action: { type: "wrong_athlete" } });
  expect(await json(exchange(place, code))).toMatchObject({ athlete: { id: stranger } });
  expect(place.sandbox.ledger().at(-1)?.faultId).toBeDefined();
});
