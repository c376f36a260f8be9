import { type Browser, chromium, type Page } from "playwright-core";

/** Debian's Chromium, where it is on the PATH: nothing is downloaded for a test. */
export const chromiumPath: string | undefined = Bun.which("chromium") ?? undefined;

/** To be said in a test's name where there is no browser. */
export const whySkipped = chromiumPath === undefined ? " (skipped: no chromium on the PATH)" : "";

/** Without a sandbox of its own, as containers run it, and asking nothing of the world by itself. */
const ARGS = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error("There is no chromium on the PATH");
  return chromium.launch({ executablePath: chromiumPath, args: ARGS, headless: true });
}

/** A window the size of a phone, with nothing of another visit in it. `troubles`: what a person would not see. */
export async function openPhone(browser: Browser): Promise<{ page: Page; troubles: string[] }> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  const troubles: string[] = [];
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => troubles.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol !== "data:" && hostname !== "127.0.0.1") troubles.push(`outside: ${request.url()}`);
  });
  page.on("console", (message) => {
    // A page that answers 403 is told of as an error; what it holds is what the tests look at.
    if (message.type() === "error" && !message.text().includes("the server responded with a status of"))
      troubles.push(message.text());
  });
  return { page, troubles };
}
