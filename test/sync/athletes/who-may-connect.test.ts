import { describe, expect, test } from "bun:test";
import { MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { readInvites } from "../../../src/db/invites.ts";
import {
  apiOfClub,
  athleteAt,
  countRows,
  expectNothingLeft,
  makeInvite,
  personAt,
  signIn,
  untilCallback,
} from "../../support/sign-in.ts";
import { requestsOf } from "../../support/syncs.ts";

const CLUB = 4_711;
const [MEMBER, STRANGER] = [1, 2];

describe("where only a club's members may connect", () => {
  const inClub = (options: Parameters<typeof apiOfClub>[0] = {}) => {
    const at = apiOfClub({ ...options, connect: { clubId: CLUB, ...options.connect } });
    at.engine.sandbox.setClubs(personAt(at, MEMBER).stravaId, [1, 2, CLUB]);
    at.engine.sandbox.setClubs(personAt(at, STRANGER).stravaId, [1, 2]);
    return at;
  };

  test("a member is connected, and who is none is turned away and told which club", async () => {
    const at = inClub();
    expect((await signIn(at, MEMBER)).status).toBe(200);
    const page = await signIn(at, STRANGER);
    expect(page.status).toBe(403);
    expect(page.text).toContain(`https://www.strava.com/clubs/${CLUB}`);
    await expectNothingLeft(at, STRANGER);
  });

  test("clubs are read page by page to the empty one, and counted as reads", async () => {
    const at = inClub();
    at.engine.sandbox.setClubs(personAt(at, MEMBER).stravaId, [...Array.from({ length: 450 }, (_, n) => n + 1), CLUB]);
    expect((await signIn(at, MEMBER)).status).toBe(200);
    expect(requestsOf(at.engine, "clubs")).toBe(3);
    at.engine.sandbox.clearLedger();
    expect((await signIn(at, STRANGER)).status).toBe(403);
    expect(requestsOf(at.engine, "clubs")).toBe(2);
  });

  test.each([
    ["500", { type: "status", status: 500 } as const],
    ["401", { type: "status", status: 401 } as const],
    ["404", { type: "status", status: 404 } as const],
    ["a page of HTML", { type: "html" } as const],
    ["half an answer", { type: "truncated" } as const],
    ["a reset", { type: "reset" } as const],
  ])("answered %s, nobody is called a stranger: try again, and the grant is revoked", async (_, action) => {
    const at = inClub();
    at.engine.sandbox.injectFault({ match: { kind: "clubs" }, action });
    const page = await signIn(at, MEMBER);
    expect(page.status).toBe(503);
    expect(page.text).toContain("did not say whether you are a member");
    await at.engine.clock.advance(2 * MINUTE_MS);
    await expectNothingLeft(at, MEMBER);
  });

  test("a list that does not end says nothing", async () => {
    const at = inClub();
    at.engine.sandbox.setClubs(
      personAt(at, STRANGER).stravaId,
      Array.from({ length: 2_100 }, (_, n) => 10_000 + n),
    );
    expect((await signIn(at, STRANGER)).status).toBe(503);
    expect(requestsOf(at.engine, "clubs")).toBe(10);
    await expectNothingLeft(at, STRANGER);
  });

  test("with the quota spent a newcomer is told before they go to Strava, a known athlete goes, and nobody waits", async () => {
    const at = inClub({ sandbox: { quota: { read: { day: 6 } } } });
    await at.post("/api/admin/athletes/1/sync");
    await at.engine.clock.advance(10 * SECOND_MS);
    const page = await at.visit("/auth/strava");
    expect([page.status, page.text.includes("after 00:00 UTC")]).toEqual([503, true]);
    expect(Number(page.headers.get("retry-after"))).toBeGreaterThan(20 * 3_600);
    expect((await at.visit("/auth/strava?again")).status).toBe(302);
  });

  test("with the quota spent while they were at Strava, the page says when to try again, and the grant is revoked", async () => {
    const at = inClub({ sandbox: { quota: { read: { day: 6 } } } });
    const callback = await untilCallback(at, MEMBER);
    await at.post("/api/admin/athletes/1/sync");
    await at.engine.clock.advance(10 * SECOND_MS);
    const page = await at.visit(String(callback));
    expect([page.status, page.text.includes("after 00:00 UTC")]).toEqual([503, true]);
    await expectNothingLeft(at, MEMBER);
  });
});

describe("where an invitation is needed", () => {
  const invited = () => apiOfClub({ connect: { mode: "invite" } });

  test("one brings in one person, once", async () => {
    const at = invited();
    const link = await makeInvite(at, { label: "for the relay" });
    const late = await untilCallback(at, STRANGER, { link });
    expect((await signIn(at, MEMBER, { link })).status).toBe(200);
    expect(readInvites(at.engine.db, 9, 9)).toMatchObject([
      { label: "for the relay", createdBy: "admin", usedByAthleteId: athleteAt(at, MEMBER)?.id },
    ]);
    const page = await at.visit(String(late));
    expect([page.status, page.text.includes("lets nobody in any more")]).toEqual([403, true]);
    await expectNothingLeft(at, STRANGER);
    const used = await at.visit(link);
    expect([used.status, used.text.includes("has been used")]).toEqual([403, true]);
  });

  test("two who come back at the same moment do not share one", async () => {
    const at = invited();
    const link = await makeInvite(at);
    const callbacks = [await untilCallback(at, MEMBER, { link }), await untilCallback(at, STRANGER, { link })];
    const pages = await Promise.all(callbacks.map((callback) => at.visit(String(callback))));
    expect(pages.map((page) => page.status).sort()).toEqual([200, 403]);
    await at.engine.clock.advance(SECOND_MS);
    const people = [MEMBER, STRANGER];
    expect(people.filter((who) => athleteAt(at, who) !== undefined)).toHaveLength(1);
    expect(people.map((who) => personAt(at, who).isConnected)).toEqual(
      people.map((who) => athleteAt(at, who) !== undefined),
    );
  });

  test("one person in two windows uses one of two invitations, and keeps the grant", async () => {
    const at = apiOfClub({ connect: { mode: "invite" }, sandbox: { latencyMs: 300 } });
    const links = [await makeInvite(at), await makeInvite(at)];
    const callbacks = [];
    for (const link of links) callbacks.push(await untilCallback(at, MEMBER, { link }));
    const pages = Promise.all(callbacks.map((callback) => at.visit(String(callback))));
    expect((await pages).map((page) => page.status)).toEqual([200, 200]);
    expect(readInvites(at.engine.db, 9, 9).filter((row) => row.usedAtMs !== null)).toHaveLength(1);
  });

  test("one person in two windows, one of them with an invitation that is gone, keeps the grant", async () => {
    const at = apiOfClub({ connect: { mode: "invite" }, sandbox: { latencyMs: 300 } });
    const links = [await makeInvite(at), await makeInvite(at)];
    const callbacks = [];
    for (const link of links) callbacks.push(await untilCallback(at, MEMBER, { link }));
    await at.delete("/api/admin/invites/1");
    const pages = Promise.all(callbacks.map((callback) => at.visit(String(callback))));
    expect((await pages).map((page) => page.status)).toEqual([403, 200]);
    await at.engine.clock.advance(MINUTE_MS);
    expect([requestsOf(at.engine, "revoke"), personAt(at, MEMBER).isConnected]).toEqual([0, true]);
  });

  test.each([
    ["none", "/auth/strava", "An invitation is needed"],
    ["one that is not known", "/auth/strava?invite=made-up", "not known"],
    ["an empty one", "/auth/strava?invite=", "An invitation is needed"],
  ])("with %s a page says what to do, and Strava is not asked", async (_, link, words) => {
    const at = invited();
    const page = await at.visit(link);
    expect([page.status, page.text.includes(words)]).toEqual([403, true]);
    expect(countRows(at, "sign_ins")).toBe(0);
  });

  test("one that has expired lets nobody in, before and after the way to Strava", async () => {
    const at = invited();
    const link = await makeInvite(at, { expires_in: "10m" });
    const callback = await untilCallback(at, MEMBER, { link });
    await at.engine.clock.advance(10 * MINUTE_MS);
    expect((await at.visit(link)).text).toContain("has expired");
    at.engine.sandbox.clearFaults();
    const code = at.engine.sandbox.authorize(personAt(at, MEMBER).stravaId);
    const back = new URL(String(callback));
    back.searchParams.set("code", code);
    expect((await at.visit(back.href)).status).toBe(403);
    await expectNothingLeft(at, MEMBER);
  });

  test("one that was taken back lets nobody in", async () => {
    const at = invited();
    const link = await makeInvite(at);
    const callback = await untilCallback(at, MEMBER, { link });
    expect((await at.delete("/api/admin/invites/1")).status).toBe(200);
    expect((await at.visit(String(callback))).status).toBe(403);
    await expectNothingLeft(at, MEMBER);
    expect((await at.visit(link)).text).toContain("not known");
  });

  test("somebody unknown who takes the link for known athletes is turned away, and their grant revoked", async () => {
    const at = invited();
    const page = await signIn(at, STRANGER, { link: "/auth/strava?again" });
    expect([page.status, page.text.includes("An invitation is needed")]).toEqual([403, true]);
    await expectNothingLeft(at, STRANGER);
  });

  test("a known athlete who comes with one leaves it for somebody else", async () => {
    const at = invited();
    const link = await makeInvite(at);
    expect((await signIn(at, 0, { link })).status).toBe(200);
    expect((await signIn(at, MEMBER, { link })).status).toBe(200);
  });

  test("where none is needed, one that is brought is used up all the same, and a bad one stops nobody", async () => {
    const at = apiOfClub();
    const link = await makeInvite(at);
    expect((await signIn(at, MEMBER, { link })).status).toBe(200);
    expect(readInvites(at.engine.db, 9, 9)).toMatchObject([{ usedByAthleteId: athleteAt(at, MEMBER)?.id }]);
    expect((await signIn(at, STRANGER, { link })).status).toBe(200);
  });
});

describe("capacity", () => {
  test("reached by our own count: newcomers are told before they go to Strava, and known athletes go", async () => {
    const at = apiOfClub({ connect: { athleteCapacity: 2 } });
    expect((await signIn(at, MEMBER)).status).toBe(200);
    at.engine.sandbox.clearLedger();
    const page = await at.visit("/auth/strava");
    expect([page.status, page.text.includes("No place is free")]).toEqual([403, true]);
    expect(page.text).toContain('href="/auth/strava?again"');
    at.engine.db.$client.run("UPDATE athletes SET status = 'needs_reconnect' WHERE id = 1");
    expect((await at.visit("/auth/strava")).status).toBe(403);
    expect((await signIn(at, 0, { link: "/auth/strava?again" })).status).toBe(200);
    await at.delete("/api/admin/athletes/1");
    expect((await at.visit("/auth/strava")).status).toBe(302);
  });

  test("reached by Strava's word: a page says so, it is remembered, and nobody else is held back", async () => {
    const at = apiOfClub();
    at.engine.sandbox.setCapacity(1, "exchange");
    expect((await at.get("/api/admin/connect")).body.capacity_reached_at).toBeNull();
    const page = await signIn(at, MEMBER);
    expect([page.status, page.text.includes("No place is free")]).toEqual([403, true]);
    expect(at.engine.context.governor.hold("schedule")).toBeUndefined();
    const { capacity_reached_at } = (await at.get("/api/admin/connect")).body;
    expect(at.engine.clock.nowMs() - capacity_reached_at).toBeLessThan(SECOND_MS);
    expect([athleteAt(at, MEMBER), countRows(at, "revocations")]).toEqual([undefined, 0]);
    expect((await signIn(at, 0)).status).toBe(200);
  });
});
