import { describe, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS } from "../../../src/core/units.ts";
import { forgetAthlete } from "../../../src/sync/athletes/forget-athlete.ts";
import { importAthlete } from "../../../src/sync/athletes/import-athlete.ts";
import { revokeGrants } from "../../../src/sync/athletes/revoke-grants.ts";
import type { TestEngine, TestEngineOptions } from "../../support/engine.ts";
import { engineWith } from "../../support/syncs.ts";

/** A Strava that does not know the newer address. */
const OLD_STRAVA: TestEngineOptions["fetch"] = (sandbox) => (request) =>
  request.url.endsWith("/oauth/revoke") ? Promise.resolve(new Response("", { status: 404 })) : sandbox.fetch(request);

const waiting = (engine: TestEngine) =>
  engine.db.$client.query<{ attempts: number }, []>("SELECT attempts FROM revocations").all();
const isConnected = (engine: TestEngine) => engine.sandbox.people()[0]?.isConnected;

async function revoke(engine: TestEngine): Promise<void> {
  const revoked = revokeGrants(engine.context, engine.seal);
  await engine.clock.advance(MINUTE_MS);
  await revoked;
}

describe("where only the older address is there", () => {
  for (const rotateRefreshTokens of [false, true]) {
    test(`an access token is got and the grant ended by it (rotation: ${rotateRefreshTokens})`, async () => {
      const engine = engineWith([], { sandbox: { rotateRefreshTokens }, fetch: OLD_STRAVA });
      await engine.clock.advance(24 * HOUR_MS);
      forgetAthlete(engine.context, engine.processor, engine.athlete());
      await revoke(engine);
      expect([waiting(engine), isConnected(engine)]).toEqual([[], false]);
    });
  }

  test("a pair that was rotated on the way is kept when the end is not confirmed, and it goes by that pair later", async () => {
    const engine = engineWith([], { sandbox: { rotateRefreshTokens: true }, fetch: OLD_STRAVA });
    await engine.clock.advance(24 * HOUR_MS);
    forgetAthlete(engine.context, engine.processor, engine.athlete());
    engine.sandbox.injectFault({ match: { kind: "deauthorize" }, action: { type: "status", status: 503 } });
    await revoke(engine);
    expect([waiting(engine), isConnected(engine)]).toEqual([[{ attempts: 1 }], true]);
    await engine.clock.advance(HOUR_MS);
    await revoke(engine);
    expect([waiting(engine), isConnected(engine)]).toEqual([[], false]);
  });

  test("a grant that its athlete has ended is over; a refresh that fails otherwise is tried again", async () => {
    const engine = engineWith([], { fetch: OLD_STRAVA });
    engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "status", status: 500 } });
    forgetAthlete(engine.context, engine.processor, engine.athlete());
    await revoke(engine);
    expect(waiting(engine)).toEqual([{ attempts: 1 }]);
    engine.sandbox.revokeGrant(engine.sandbox.people()[0]?.stravaId ?? 0);
    await engine.clock.advance(HOUR_MS);
    await revoke(engine);
    expect(waiting(engine)).toEqual([]);
  });

  test("it costs quota, and waits for it", async () => {
    const engine = engineWith([], { fetch: OLD_STRAVA, sandbox: { quota: { read: { quarter: 0 } } }, headroom: 100 });
    forgetAthlete(engine.context, engine.processor, engine.athlete());
    await revoke(engine);
    expect([waiting(engine), isConnected(engine)]).toEqual([[{ attempts: 1 }], true]);
    expect(engine.sandbox.ledger().filter(({ kind }) => kind === "deauthorize")).toEqual([]);
  });
});

test("an athlete who was deleted and is imported again with the very same tokens keeps the grant", async () => {
  const engine = engineWith([]);
  const [athlete] = engine.sandbox.athletes();
  if (athlete === undefined) throw new Error("The club is empty");
  engine.sandbox.injectFault({ match: { kind: "revoke" }, action: { type: "status", status: 503 } });
  forgetAthlete(engine.context, engine.processor, engine.athlete());
  await revoke(engine);
  expect(waiting(engine)).toEqual([{ attempts: 1 }]);
  importAthlete(engine.context, athlete);
  expect(waiting(engine)).toEqual([]);
  await engine.clock.advance(HOUR_MS);
  await revoke(engine);
  expect(isConnected(engine)).toBe(true);
});

test("an import with other tokens leaves the revocation of the former grant as it is", () => {
  const engine = engineWith([]);
  const [athlete] = engine.sandbox.athletes();
  if (athlete === undefined) throw new Error("The club is empty");
  forgetAthlete(engine.context, engine.processor, engine.athlete());
  importAthlete(engine.context, { ...athlete, refreshToken: "another" });
  expect(waiting(engine)).toEqual([{ attempts: 0 }]);
});
