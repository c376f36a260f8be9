import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { circles, importsOf, type Source, wrongImports, wrongUses } from "./support/architecture.ts";

const top = join(import.meta.dir, "..");
const sources: Source[] = [...new Bun.Glob("src/**/*.{ts,tsx}").scanSync(top)]
  .sort()
  .map((path) => ({ path, text: readFileSync(join(top, path), "utf8") }));

test("the sources are there to be checked", () => {
  expect(sources.map((source) => source.path)).toContain("src/core/plan.ts");
  expect(sources.flatMap(importsOf).length).toBeGreaterThan(sources.length);
});

test("rooms import downwards only, core imports only core, and only api knows Elysia", () => {
  expect(wrongImports(sources)).toEqual([]);
});

test("no circle runs through the files", () => {
  expect(circles(sources)).toEqual([]);
});

test("time, timers, dice, the environment and the console are handed in, but where they are made", () => {
  expect(wrongUses(sources)).toEqual([]);
});

const source = (path: string, text: string): Source => ({ path, text });
const importing = (from: string, specifier: string) =>
  wrongImports([source(from, `import { x } from "${specifier}";`)]);

test("an import is seen in every form: over lines, of types, for its effect, passed on, dynamic; a comment is none", () => {
  const forms = [
    'import { a,\n  b } from "./one.ts";',
    'import type { C } from "./two.ts";',
    'import "./three.ts";',
    'export { d } from "./four.ts";',
    'export type * from "./five.ts";',
    'import E, * as f from "./six.ts";',
    'const g = await import("./seven.ts");',
    '// import { h } from "./eight.ts";',
    ' * import { i } from "./nine.ts";',
    'const text = "from";\nexport const j = "./ten.ts";',
  ];
  const all = forms.flatMap((text) => importsOf(source("src/core/x.ts", text)));
  expect(all).toEqual(["./one.ts", "./two.ts", "./three.ts", "./four.ts", "./five.ts", "./six.ts", "./seven.ts"]);
});

test("an import upwards is refused, one downwards is not", () => {
  const floors = ["cli", "simulation", "daemon", "api", "alerts", "health", "sync", "db", "telemetry", "core"];
  floors.forEach((upper, index) => {
    for (const lower of floors.slice(index + 1)) {
      expect(importing(`src/${upper}/x.ts`, `../${lower}/y.ts`)).toEqual([]);
      expect(importing(`src/${lower}/x.ts`, `../${upper}/y.ts`)).toHaveLength(1);
    }
    expect(importing(`src/${upper}/x.ts`, "./y.ts")).toEqual([]);
    expect(importing(`src/${upper}/x.ts`, "../main.ts")).toHaveLength(1);
    expect(importing("src/main.ts", `./${upper}/y.ts`)).toEqual([]);
  });
  for (const part of ["src/daemon.ts", "src/daemon-jobs.ts"]) expect(importing(part, "./api/api.ts")).toEqual([]);
  expect(importing("src/api/api.ts", "../daemon.ts")).toEqual([
    "src/api/api.ts imports ../daemon.ts: daemon stands above api",
  ]);
});

test("rooms that stand side by side do not import one another, and a room that nobody knows is refused", () => {
  const row = ["db", "strava", "sandbox", "scheduler"];
  for (const one of row) {
    for (const other of row.filter((room) => room !== one))
      expect(importing(`src/${one}/x.ts`, `../${other}/y.ts`)).toHaveLength(1);
  }
  expect(importing("src/db/x.ts", "../common/y.ts")).toHaveLength(1);
  expect(importing("src/helpers.ts", "./core/y.ts")).toHaveLength(1);
});

test("config and clock are for main, cli and daemon, and know core alone of our rooms", () => {
  for (const module of ["config.ts", "config-settings.ts", "clock.ts"]) {
    expect(importing("src/cli/x.ts", `../${module}`)).toEqual([]);
    expect(importing("src/daemon.ts", `./${module}`)).toEqual([]);
    for (const room of ["api", "sync", "db", "telemetry", "core"])
      expect(importing(`src/${room}/x.ts`, `../${module}`)).toHaveLength(1);
    expect(importing(`src/${module}`, "./core/units.ts")).toEqual([]);
    expect(importing(`src/${module}`, "./db/open.ts")).toHaveLength(1);
  }
  expect(importing("src/config.ts", "./config-sources.ts")).toEqual([]);
  expect(importing("src/config-settings.ts", "croner")).toEqual([]);
  expect(importing("src/config.ts", "./clock.ts")).toHaveLength(1);
});

test("core takes no package, no node: and no bun:; Elysia stays in api", () => {
  for (const specifier of ["node:crypto", "bun:sqlite", "drizzle-orm", "elysia"])
    expect(importing("src/core/x.ts", specifier)).toHaveLength(1);
  for (const specifier of ["elysia", "@elysiajs/swagger"]) {
    expect(importing("src/api/x.ts", specifier)).toEqual([]);
    expect(importing("src/daemon.ts", specifier)).toHaveLength(1);
  }
  expect(importing("src/db/x.ts", "drizzle-orm")).toEqual([]);
});

test("a circle is found however long, with types in it too, and a diamond is none", () => {
  const file = (name: string, ...targets: string[]) =>
    source(`src/core/${name}.ts`, targets.map((target) => `import type { X } from "./${target}.ts";`).join("\n"));
  expect(circles([file("a", "b"), file("b", "c"), file("c", "a")])).toEqual([
    "src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts",
  ]);
  expect(circles([file("a", "a")])).toHaveLength(1);
  expect(circles([file("a", "b", "c"), file("b", "d"), file("c", "d"), file("d")])).toEqual([]);
});

test("the machine's time, timers, dice, environment and console are seen in code, and free in comments", () => {
  const uses = [
    "export const a = Date.now();",
    "export const b = new Date();",
    "export const c = new Date;",
    "export const d = Math.random;",
    "setTimeout(work, 1);",
    "setInterval(work, 1);",
    "setImmediate(work);",
    "export const e = performance.now();",
  ];
  for (const text of uses) {
    expect(wrongUses([source("src/core/x.ts", text)])).toHaveLength(1);
    expect(wrongUses([source("src/clock.ts", text)])).toEqual([]);
    expect(wrongUses([source("src/main.ts", text)])).toEqual([]);
    expect(wrongUses([source("src/core/x.ts", `// ${text}\n/* ${text} */`)])).toEqual([]);
  }
  expect(wrongUses([source("src/core/x.ts", "export const a = new Date(0).toISOString();")])).toEqual([]);
  const environment = source("src/config.ts", "export const a = process.env.HOME;");
  expect(wrongUses([environment])).toHaveLength(1);
  expect(wrongUses([{ ...environment, path: "src/cli/serve.ts" }])).toEqual([]);
  expect(wrongUses([source("src/main.ts", 'console.log("x");')])).toHaveLength(1);
});
