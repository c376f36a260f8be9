/** Run as a process of its own: takes the data directory named by its argument, says so, and holds it until killed. */
import { openDataDirectory } from "../../src/db/data-directory.ts";
import { writeRuntimeFile } from "../../src/db/runtime-file.ts";

hold(process.argv[2] ?? "");
// The lock must not hang on somebody keeping the directory's object.
Bun.gc(true);
process.stdout.write("held\n");
process.stdin.resume();

function hold(path: string): void {
  const { runtimePath } = openDataDirectory(path);
  writeRuntimeFile(runtimePath, { address: "http://127.0.0.1:1", pid: process.pid, token: "held" });
}
