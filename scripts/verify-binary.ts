/**
 * Tries the compiled program where there is nothing but itself: an empty working directory, and an environment without
 * any configuration. Its version, its OpenAPI document, the documentation page with all that it loads, and the demo.
 *
 *     bun scripts/verify-binary.ts dist/broomwagon
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { systemClock } from "../src/clock.ts";
import { SECOND_MS } from "../src/core/units.ts";

/** The contract: a completed sync and a verified finding within a minute of the first answer. */
const DEMO_SECONDS = 60;

const binary = resolve(process.argv[2] ?? "dist/broomwagon");
const folder = mkdtempSync(join(tmpdir(), "broomwagon-verify-"));
const startMs = systemClock.nowMs();
const demo = spawn("demo", "--port", "0", "--for", String(DEMO_SECONDS), "--until-shown");
const complaints = new Response(demo.stderr).text();
let told = "";
try {
  let pages: Promise<void> | undefined;
  for await (const text of demo.stdout.pipeThrough(new TextDecoderStream())) {
    told += text;
    const [, address] = /^ *documentation +(\S+)\/swagger$/m.exec(told) ?? [];
    if (address !== undefined) pages ??= tryPages(address);
  }
  await Promise.all([pages ?? fail("the demo named no address"), tryVersion(), tryOpenApi()]);
  const exitCode = await demo.exited;
  if (exitCode !== 0) fail(`the demo ended with ${exitCode}`);
  const seconds = ((systemClock.nowMs() - startMs) / SECOND_MS).toFixed(1);
  process.stdout.write(`a completed sync and a verified finding ${seconds} s after the start\n`);
} catch (error) {
  demo.kill("SIGKILL");
  process.stdout.write(`${told}\n${await complaints}\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function spawn(...args: string[]) {
  return Bun.spawn([binary, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function tryVersion(): Promise<void> {
  const words = await outputOf("version");
  if (!/^broomwagon \d+\.\d+\.\d+/.test(words)) fail(`"version" printed ${JSON.stringify(words)}`);
}

async function tryOpenApi(): Promise<void> {
  const document: unknown = JSON.parse(await outputOf("openapi"));
  if (!hasPaths(document)) fail('"openapi" printed no document with paths');
}

async function outputOf(command: string): Promise<string> {
  const child = spawn(command);
  const output = await new Response(child.stdout).text();
  const exitCode = await child.exited;
  return exitCode === 0
    ? output
    : fail(`"${command}" ended with ${exitCode}: ${await new Response(child.stderr).text()}`);
}

/** The page, and everything that it names, is answered by the program itself. */
async function tryPages(address: string): Promise<void> {
  const page = await textOf(`${address}/swagger`);
  const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? "");
  const loaded = named.filter((path) => !path.startsWith("data:"));
  if (loaded.length < 3) fail(`/swagger names only ${loaded.join(", ")}`);
  await Promise.all(loaded.map((path) => textOf(new URL(path, `${address}/swagger`).href)));
  const document: unknown = JSON.parse(await textOf(`${address}/swagger/json`));
  if (!hasPaths(document)) fail("/swagger/json has no paths");
}

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  return answer.ok && text.length > 0 ? text : fail(`${url} answers ${answer.status} with ${text.length} characters`);
}

function hasPaths(document: unknown): boolean {
  return typeof document === "object" && document !== null && "paths" in document && "openapi" in document;
}

function fail(words: string): never {
  throw new Error(words);
}
