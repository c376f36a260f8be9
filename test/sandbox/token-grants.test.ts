import { describe, expect, test } from "bun:test";
import { CLIENT, get, json, NOW, NOW_SECONDS, post, refresh, type Visit, visit } from "./visit.ts";

const HOUR_MS = 3_600_000;
const LIFE_MS = 6 * HOUR_MS;

const REFRESH_TOKEN_INVALID = {
  message: "Bad Request",
  errors: [{ resource: "RefreshToken", field: "refresh_token", code: "invalid" }],
};

const isGood = async (place: Visit, accessToken: unknown) => (await get(place, "/athlete", String(accessToken))).ok;

async function expectDead(response: Response): Promise<void> {
  expect(response.status).toBe(400);
  expect(await json(response)).toEqual(REFRESH_TOKEN_INVALID);
}

describe("refresh", () => {
  test("the same access token comes back while more than an hour is left, a new one at an hour", async () => {
    const place = visit();
    const { accessToken, refreshToken, expiresAtSeconds } = place.athlete;
    expect(expiresAtSeconds).toBe(NOW_SECONDS + 6 * 3_600);
    place.clock.jumpTo(NOW + LIFE_MS - HOUR_MS - 1_000);
    expect(await json(refresh(place))).toEqual({
      token_type: "Bearer",
      access_token: accessToken,
      expires_at: expiresAtSeconds,
      expires_in: 3_601,
      refresh_token: refreshToken,
      scope: "read,activity:read_all",
    });
    place.clock.jumpTo(NOW + LIFE_MS - HOUR_MS);
    const renewed = await json(refresh(place));
    expect(renewed).toMatchObject({
      expires_at: NOW_SECONDS + 5 * 3_600 + 21_600,
      expires_in: 21_600,
      refresh_token: refreshToken,
    });
    expect(renewed.access_token).not.toBe(accessToken);
  });

  test("the old access token works until it expires, and the new one beside it", async () => {
    const place = visit();
    place.clock.jumpTo(NOW + LIFE_MS - 1);
    const renewed = await json(refresh(place));
    expect(await isGood(place, place.athlete.accessToken)).toBe(true);
    expect(await isGood(place, renewed.access_token)).toBe(true);
    place.clock.jumpTo(NOW + LIFE_MS);
    expect(await isGood(place, place.athlete.accessToken)).toBe(false);
    expect(await isGood(place, renewed.access_token)).toBe(true);
  });

  test("with rotation a new access token brings a new refresh token, and the old one is dead at once", async () => {
    const place = visit([], { rotateRefreshTokens: true });
    expect((await json(refresh(place))).refresh_token).toBe(place.athlete.refreshToken);
    place.clock.jumpTo(NOW + LIFE_MS);
    const renewed = await json(refresh(place));
    expect(renewed.refresh_token).not.toBe(place.athlete.refreshToken);
    await expectDead(await refresh(place));
    expect((await refresh(place, String(renewed.refresh_token))).status).toBe(200);
    expect(place.sandbox.athletes()[0]).toMatchObject({
      accessToken: renewed.access_token,
      refreshToken: renewed.refresh_token,
    });
  });

  test("rotation can be switched while it runs", async () => {
    const place = visit();
    place.sandbox.setRotation(true);
    place.clock.jumpTo(NOW + LIFE_MS);
    expect((await json(refresh(place))).refresh_token).not.toBe(place.athlete.refreshToken);
  });

  test("an unknown refresh token is refused", async () => expectDead(await refresh(visit(), "unknown")));

  test.each([
    [undefined, 401, "Authorization Error"],
    [400 as const, 400, "Bad Request"],
  ])("a wrong client is an application's fault (%p)", async (wrongClientStatus, status, message) => {
    const place = visit([], wrongClientStatus === undefined ? {} : { wrongClientStatus });
    const good = { ...CLIENT, grant_type: "refresh_token", refresh_token: place.athlete.refreshToken };
    for (const wrong of [{ client_id: "1" }, { client_secret: "guess" }]) {
      const refused = await post(place, "/oauth/token", { ...good, ...wrong });
      expect(refused.status).toBe(status);
      expect(await json(refused)).toEqual({
        message,
        errors: [{ resource: "Application", field: "client_id", code: "invalid" }],
      });
    }
  });

  test.each(["/oauth/token", "/api/v3/oauth/token"])("%s takes a form and JSON", async (path) => {
    const place = visit();
    const fields = { ...CLIENT, grant_type: "refresh_token", refresh_token: place.athlete.refreshToken };
    expect((await post(place, path, fields)).status).toBe(200);
    const headers = { "content-type": "application/json" };
    const asJson = { method: "POST", headers, body: JSON.stringify({ ...fields, client_id: 12345 }) };
    expect((await place.sandbox.fetch(new Request(`https://strava.example${path}`, asJson))).status).toBe(200);
    const torn = { method: "POST", headers, body: "{" };
    expect((await place.sandbox.fetch(new Request(`https://strava.example${path}`, torn))).status).toBe(401);
  });

  test("another grant type, and a code that was never given, are bad requests", async () => {
    const place = visit();
    expect((await post(place, "/oauth/token", { ...CLIENT, grant_type: "password" })).status).toBe(400);
    const code = await post(place, "/oauth/token", { ...CLIENT, grant_type: "authorization_code", code: "x" });
    expect(code.status).toBe(400);
    expect(await json(code)).toMatchObject({ errors: [{ resource: "AuthorizationCode", code: "invalid" }] });
  });
});

describe("tampering", () => {
  test("an access token that dies before its time is refused, and a refresh makes a new one", async () => {
    const place = visit();
    place.sandbox.expireAccessToken(place.athlete.stravaId);
    expect(await isGood(place, place.athlete.accessToken)).toBe(false);
    expect(await isGood(place, place.sandbox.athletes()[1]?.accessToken)).toBe(true);
    const renewed = await json(refresh(place));
    expect(renewed).toMatchObject({ expires_in: 21_600 });
    expect(await isGood(place, renewed.access_token)).toBe(true);
  });

  test("a grant taken back kills both tokens, until the athlete connects again", async () => {
    const place = visit();
    place.sandbox.revokeGrant(place.athlete.stravaId);
    expect(await isGood(place, place.athlete.accessToken)).toBe(false);
    await expectDead(await refresh(place));
    const again = place.sandbox.grantAgain(place.athlete.stravaId);
    expect(again.scope).toBe("read,activity:read_all");
    expect(await isGood(place, again.accessToken)).toBe(true);
    await expectDead(await refresh(place));
    expect((await refresh(place, again.refreshToken)).status).toBe(200);
  });
});

describe("revoking", () => {
  const basic = (pair: string) => ({ authorization: `Basic ${btoa(pair)}` });
  const GOOD = basic("12345:sandbox-secret");

  test.each(["accessToken", "refreshToken"] as const)(
    "the %s kills the pair and answers an empty 200",
    async (token) => {
      const place = visit();
      const revoked = await post(place, "/oauth/revoke", { token: place.athlete[token] }, GOOD);
      expect([revoked.status, await revoked.text()]).toEqual([200, ""]);
      expect(place.sandbox.ledger()).toMatchObject([{ kind: "revoke", stravaId: place.athlete.stravaId }]);
      expect(await isGood(place, place.athlete.accessToken)).toBe(false);
      await expectDead(await refresh(place));
    },
  );

  test("an unknown token is 200 too, no token 400, a wrong client 401 with nothing revoked", async () => {
    const place = visit();
    expect((await post(place, "/oauth/revoke", { token: "unknown" }, GOOD)).status).toBe(200);
    expect((await post(place, "/oauth/revoke", {}, GOOD)).status).toBe(400);
    const token = place.athlete.accessToken;
    for (const headers of [{}, basic("12345:guess"), basic("1:sandbox-secret"), { authorization: "Basic ?" }]) {
      expect((await post(place, "/oauth/revoke", { token }, headers)).status).toBe(401);
    }
    expect(await isGood(place, token)).toBe(true);
  });

  test("the older deauthorize answers with the token that it killed", async () => {
    const place = visit();
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    const response = await post(place, "/oauth/deauthorize", {}, headers);
    expect([response.status, await json(response)]).toEqual([200, { access_token: place.athlete.accessToken }]);
    expect((await post(place, "/oauth/deauthorize", {}, headers)).status).toBe(401);
    await expectDead(await refresh(place));
  });
});
