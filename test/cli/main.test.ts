import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRuntimeFile } from "../../src/db/runtime-file.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

/** Each test starts the program as it is, which takes its time on a busy machine. */
setDefaultTimeout(30_000);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-main-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The program as a process of its own, with nothing of this one's configuration. */
function spawn(...args: string[]) {
  return Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH ?? "", BROOMWAGON_DATA_DIR: directory, BROOMWAGON_PORT: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function firstText(stream: ReadableStream<Uint8Array>, holds: string): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    if (text.includes(holds)) break;
  }
  return text;
}

describe("the program", () => {
  test("ends with the exit code of its command", async () => {
    const codes = await Promise.all([
      spawn("version").exited,
      spawn("stauts").exited,
      spawn("config", "--port", "x").exited,
      spawn("status").exited,
    ]);
    expect(codes).toEqual([0, 2, 78, 1]);
  });

  test("gives a slow pipe every byte before it exits", async () => {
    // The reader takes nothing while the program ends: what does not fit into the pipe must not be dropped.
    const script = '"$0" "$1" openapi | { read -r first; sleep 0.3; printf %s "$first"; cat; }';
    const pipeline = Bun.spawn(["sh", "-c", script, process.execPath, MAIN], { cwd: directory, stdout: "pipe" });
    const document = JSON.parse(await new Response(pipeline.stdout).text());
    expect(document.openapi).toBe("3.1.0");
  });

  test("serve shows its made token once and not in the log, refuses a second one, and ends with 0 on SIGTERM", async () => {
    const daemon = spawn("serve");
    const shown = await firstText(daemon.stderr, "Lost it?");
    const [token = "none"] = /bw_\S+/.exec(shown) ?? [];
    const runtime = readRuntimeFile(join(directory, "runtime.json"));
    expect(shown).toContain(`listens at ${runtime?.address}`);
    const asked = await fetch(`${runtime?.address}/api/admin/sync-status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(asked.status).toBe(200);

    const second = spawn("serve");
    expect(await second.exited).toBe(1);
    expect(await new Response(second.stderr).text()).toContain("holds the data directory");

    daemon.kill("SIGTERM");
    expect(await daemon.exited).toBe(0);
    expect(await new Response(daemon.stdout).text()).not.toContain(token);
    expect(readRuntimeFile(join(directory, "runtime.json"))).toBeUndefined();
  });

  test("the sandbox prints athletes that can be imported, and ends with 0 on SIGINT", async () => {
    const sandbox = spawn("sandbox", "--port", "0", "--athletes", "2", "--seed", "7");
    const shown = await firstText(sandbox.stdout, "Ctrl-C");
    const [, url = ""] = /listens at (\S+) /.exec(shown) ?? [];
    const [body = "{}"] = /\{"strava_id".*?\}/.exec(shown) ?? [];
    const { access_token: token, strava_id: id } = JSON.parse(body);
    const answer = await fetch(`${url}/api/v3/athlete`, { headers: { authorization: `Bearer ${token}` } });
    expect((await answer.json()).id).toBe(id);
    sandbox.kill("SIGINT");
    expect(await sandbox.exited).toBe(0);
  });
});
