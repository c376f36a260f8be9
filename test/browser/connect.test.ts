import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { pause } from "../../src/cli/world.ts";
import { systemClock } from "../../src/clock.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { serveSandbox } from "../../src/sandbox/serve.ts";
import { aDaemon, type RunningDaemon } from "../cli/running-daemon.ts";
import { chromiumPath, launchChromium, openPhone, whySkipped } from "./chromium.ts";

/** Signing in as a person does: a real browser, the daemon on a port, and the sandbox as Strava on another. */
const LIMIT_MS = 30_000;
const person = test.skipIf(chromiumPath === undefined);

/** Each test signs in as somebody of its own. */
const WHO = { agrees: 1, cancels: 2, hidesPrivate: 3, hidesAll: 4, comesBack: 0, comesLate: 5 } as const;

let directory: string;
let sandbox: Sandbox;
let strava: ReturnType<typeof serveSandbox>;
let daemon: RunningDaemon;
let browser: Browser;

beforeAll(async () => {
  if (chromiumPath === undefined) return;
  directory = mkdtempSync(join(tmpdir(), "broomwagon-browser-"));
  const club = { athletes: 6, activitiesEach: 6, racesEach: 2, unconnected: 5 };
  sandbox = createSandbox({ clock: systemClock, seed: 11, club });
  strava = serveSandbox(sandbox, { port: 0 });
  const env = {
    STRAVA_CLIENT_ID: "12345",
    STRAVA_CLIENT_SECRET: "sandbox-secret",
    BROOMWAGON_STRAVA_API_URL: `${strava.url}/api/v3`,
    BROOMWAGON_STRAVA_OAUTH_URL: `${strava.url}/oauth`,
  };
  [daemon, browser] = await Promise.all([aDaemon(directory, { env }), launchChromium()]);
}, LIMIT_MS);

afterAll(async () => {
  if (chromiumPath === undefined) return;
  await browser.close();
  await daemon.end();
  await strava.stop();
  rmSync(directory, { recursive: true, force: true });
}, LIMIT_MS);

function nameOf(who: number): string {
  const found = sandbox.people()[who];
  if (found === undefined) throw new Error(`The club has nobody at place ${who}`);
  return `${found.firstName} ${found.lastName}`;
}

/** Opens the link that the club sends, and is at Strava: signed in there as that person. */
async function openLink(page: Page, who: number, link = "/auth/strava"): Promise<void> {
  await page.goto(daemon.address + link);
  await chooseAccount(page, who);
}

async function chooseAccount(page: Page, who: number): Promise<void> {
  expect(page.url()).toStartWith(`${strava.url}/oauth/authorize?`);
  await page.selectOption("#athlete", String(sandbox.people()[who]?.stravaId));
}

/** Presses a button of Strava's page. @returns the status of the page that is led back to. */
async function press(page: Page, button: "Authorize" | "Cancel"): Promise<number> {
  const back = page.waitForResponse((response) => response.url().includes("/auth/strava/callback"));
  await page.getByRole("button", { name: button }).click();
  const response = await back;
  await page.waitForLoadState();
  return response.status();
}

/** What the page says, once it is seen that its stylesheet is there. */
async function read(page: Page): Promise<{ title: string; text: string }> {
  const isStyled = await page.evaluate(
    () => getComputedStyle(document.querySelector("main") ?? document.body).borderTopWidth,
  );
  expect(isStyled).toBe("4px");
  const isWide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  expect(isWide).toBe(false);
  return { title: await textOf(page, "h1"), text: await textOf(page, "body") };
}

const textOf = async (page: Page, selector: string) => (await page.textContent(selector)) ?? "";

const athletesNow = async () => (await daemon.get("/api/admin/athletes")).body.items;

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const endMs = systemClock.nowMs() + 5_000; systemClock.nowMs() < endMs; await pause(systemClock, 20)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("It did not come about within 5 s");
}

const isConnectedAtStrava = (who: number) => sandbox.people()[who]?.isConnected;

person(
  `a person agrees: a page with their name, and their races come by themselves${whySkipped}`,
  async () => {
    const { page, troubles } = await openPhone(browser);
    await openLink(page, WHO.agrees);
    expect(await press(page, "Authorize")).toBe(200);
    const { title, text } = await read(page);
    expect(title).toBe(`${nameOf(WHO.agrees)} is connected`);
    for (const words of ["Nothing of yours is public", "Powered by Strava"]) expect(text).toContain(words);
    const { stravaId } = sandbox.people()[WHO.agrees] ?? {};
    await until(async () => {
      const { items } = (await daemon.get("/api/admin/syncs?status=completed")).body;
      return items.find((sync: { strava_id: number }) => sync.strava_id === stravaId);
    });
    // Reloading, as phones do by themselves, connects nobody twice and frightens nobody.
    expect((await page.reload())?.status()).toBe(400);
    expect((await read(page)).text).toContain("you are connected already");
    expect(troubles).toEqual([]);
  },
  LIMIT_MS,
);

person(
  `a person cancels, thinks again, and agrees by the button on the page${whySkipped}`,
  async () => {
    const { page, troubles } = await openPhone(browser);
    await openLink(page, WHO.cancels);
    expect(await press(page, "Cancel")).toBe(403);
    expect((await read(page)).title).toBe("You did not agree");
    await page.getByRole("link", { name: "Start again" }).click();
    await chooseAccount(page, WHO.cancels);
    expect(await press(page, "Authorize")).toBe(200);
    expect((await read(page)).title).toBe(`${nameOf(WHO.cancels)} is connected`);
    expect(troubles).toEqual([]);
  },
  LIMIT_MS,
);

person(
  `a person leaves private activities out, is told so, and includes them by the link on the page${whySkipped}`,
  async () => {
    const { page, troubles } = await openPhone(browser);
    await openLink(page, WHO.hidesPrivate);
    await page.locator('input[value="activity:read_all"]').uncheck();
    expect(await press(page, "Authorize")).toBe(200);
    expect((await read(page)).text).toContain("You left out what only you can see");
    await page.getByRole("link", { name: "connect again" }).click();
    await chooseAccount(page, WHO.hidesPrivate);
    expect(await press(page, "Authorize")).toBe(200);
    const { title, text } = await read(page);
    expect([title, text.includes("You left out")]).toEqual([`${nameOf(WHO.hidesPrivate)} is connected again`, false]);
    expect(troubles).toEqual([]);
  },
  LIMIT_MS,
);

person(
  `a person unticks everything: nothing is kept here, and nothing at Strava${whySkipped}`,
  async () => {
    const { page, troubles } = await openPhone(browser);
    await openLink(page, WHO.hidesAll);
    for (const box of await page.locator('input[name="granted"]').all()) await box.uncheck();
    expect(await press(page, "Authorize")).toBe(403);
    expect((await read(page)).title).toBe("The permission to read your activities is missing");
    await until(async () => (isConnectedAtStrava(WHO.hidesAll) === false ? true : undefined));
    const { stravaId } = sandbox.people()[WHO.hidesAll] ?? {};
    expect((await athletesNow()).filter((one: { strava_id: number }) => one.strava_id === stravaId)).toEqual([]);
    expect(troubles).toEqual([]);
  },
  LIMIT_MS,
);

person(
  `an athlete whose access is gone comes back by the link that the admin is shown${whySkipped}`,
  async () => {
    const { page, troubles } = await openPhone(browser);
    await openLink(page, WHO.comesBack);
    expect(await press(page, "Authorize")).toBe(200);
    const { stravaId = 0 } = sandbox.people()[WHO.comesBack] ?? {};
    const shown = async () => (await athletesNow()).find((one: { strava_id: number }) => one.strava_id === stravaId);
    const { id } = await shown();
    sandbox.revokeGrant(stravaId);
    await daemon.post(`/api/admin/athletes/${id}/sync`, { restart: true });
    const url: string = await until(async () => (await shown()).reconnect_url ?? undefined);
    await openLink(page, WHO.comesBack, url.slice(daemon.address.length));
    expect(await press(page, "Authorize")).toBe(200);
    expect((await read(page)).title).toBe(`${nameOf(WHO.comesBack)} is connected again`);
    expect((await shown()).status).toBe("connected");
    expect(troubles).toEqual([]);
  },
  LIMIT_MS,
);

person(
  `a person for whom there is no place reads so, at Strava or here, and comes in when one is free${whySkipped}`,
  async () => {
    const { page, troubles } = await openPhone(browser);
    try {
      sandbox.setCapacity(0);
      await openLink(page, WHO.comesLate);
      await page.getByRole("button", { name: "Authorize" }).click();
      expect(await textOf(page, "h1")).toContain("Limit of connected athletes exceeded");
      sandbox.setCapacity(0, "exchange");
      await openLink(page, WHO.comesLate);
      expect(await press(page, "Authorize")).toBe(403);
      expect((await read(page)).title).toBe("No place is free");
    } finally {
      sandbox.setCapacity(Number.POSITIVE_INFINITY);
    }
    await openLink(page, WHO.comesLate);
    expect(await press(page, "Authorize")).toBe(200);
    expect(troubles).toEqual([]);
  },
  LIMIT_MS,
);
