/**
 * Checks what may import what (`ARCHITECTURE.md`, "The picture"), and what may be used where, on the text of the sources: so
 * that the rules can be tried on planted sources too.
 */
import { posix } from "node:path";

/** A module: its path from the top of the checkout (`src/core/plan.ts`) and its text. */
export type Source = { readonly path: string; readonly text: string };

/** Rooms from the highest to the lowest; rooms on one line do not import one another. */
const FLOORS: readonly (readonly string[])[] = [
  ["main"],
  ["cli"],
  ["simulation"],
  ["daemon"],
  ["api"],
  ["alerts"],
  ["health"],
  ["sync"],
  ["db", "strava", "sandbox", "scheduler"],
  ["telemetry"],
  ["core"],
];
/** Modules beside the rooms: who may import them, and which rooms they may import. */
const BESIDE: Readonly<Record<string, { readonly by: readonly string[]; readonly of: readonly string[] }>> = {
  config: { by: ["main", "cli", "simulation", "daemon"], of: ["core"] },
  clock: { by: ["main", "cli", "daemon"], of: ["core"] },
  // Its bundle is served, never called; it knows the api by its types.
  dashboard: { by: ["main", "cli", "daemon", "api"], of: ["api"] },
};

/** Every import that goes up, sideways, or to a place that the rules do not know. */
export function wrongImports(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap((specifier) => {
      const target = resolve(source, specifier);
      const problem =
        target === undefined ? wrongPackage(source, specifier) : wrongRoom(roomOf(source.path), roomOf(target));
      return problem === undefined ? [] : [`${source.path} imports ${specifier}: ${problem}`];
    }),
  );
}

/** One circle among files for each file that closes one, as the chain of its paths. */
export function circles(sources: readonly Source[]): string[] {
  const targets = new Map(
    sources.map((source) => [source.path, importsOf(source).flatMap((specifier) => resolve(source, specifier) ?? [])]),
  );
  const found: string[] = [];
  const state = new Map<string, "open" | "done">();
  const chain: string[] = [];
  const visit = (path: string): void => {
    if (state.get(path) === "done") return;
    chain.push(path);
    if (state.get(path) === "open") found.push(chain.slice(chain.indexOf(path)).join(" → "));
    else {
      state.set(path, "open");
      for (const target of targets.get(path) ?? []) visit(target);
      state.set(path, "done");
    }
    chain.pop();
  };
  for (const source of sources) visit(source.path);
  return found;
}

const TIMERS_AND_DICE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bnew Date\b(?!\s*\()|\bMath\.random\b|\b(?:setTimeout|setInterval|setImmediate)\b|\bperformance\.now\b|\bBun\.sleep/g;

/** Uses of what only a few modules may use: the machine's time, timers and dice, the console, the environment. */
export function wrongUses(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const code = withoutComments(source);
    const room = roomOf(source.path);
    const uses: string[] = [];
    if (room !== "main" && room !== "clock") uses.push(...(code.match(TIMERS_AND_DICE) ?? []));
    if (room !== "main" && room !== "cli") uses.push(...(code.match(/\b(?:process|Bun)\.env\b/g) ?? []));
    uses.push(...(code.match(/\bconsole\.\w+/g) ?? []));
    return uses.map((use) => `${source.path} uses ${use}`);
  });
}

/** What a module imports, types included: statements, side effects and dynamic imports. */
export function importsOf(source: Source): string[] {
  const statements = source.text.matchAll(/^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*["']([^"']+)["']/gm);
  const dynamic = source.text.matchAll(/\bimport\(\s*["']([^"']+)["']/g);
  return [...statements, ...dynamic].map((match) => match[1] ?? "");
}

function wrongRoom(from: string, to: string): string | undefined {
  if (from === to) return undefined;
  const [own, other] = [BESIDE[from], BESIDE[to]];
  if (own !== undefined) return own.of.includes(to) ? undefined : `${from} imports ${own.of.join(", ")} only`;
  if (other !== undefined) return other.by.includes(from) ? undefined : `${to} is for ${other.by.join(", ")} only`;
  const [upper, lower] = [floorOf(from), floorOf(to)];
  if (upper === -1 || lower === -1) return `${upper === -1 ? from : to} is a room that nobody knows`;
  if (upper === lower) return `${from} and ${to} stand side by side`;
  return upper < lower ? undefined : `${to} stands above ${from}`;
}

function wrongPackage(source: Source, specifier: string): string | undefined {
  const room = roomOf(source.path);
  if (room === "core") return "core imports nothing but core";
  if (/^(?:@?elysia(?:js)?)(?:$|\/)/.test(specifier) && room !== "api" && room !== "dashboard")
    return "only api knows Elysia";
  return undefined;
}

const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));

/** `src/db/open.ts` is of the room db, `src/main.ts` of main; `config-sources.ts` is a part of config. */
function roomOf(path: string): string {
  const [first = "", second] = posix.relative("src", path).split("/");
  if (second !== undefined) return first;
  return first.replace(/(?:(?<=^(?:config|daemon))-.*)?\.\w+$/, "");
}

/** The path of a module of ours; undefined for a package and for what lies outside of src (`package.json`). */
function resolve(source: Source, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const path = posix.join(posix.dirname(source.path), specifier);
  return path.startsWith("src/") ? path : undefined;
}

const transpilers = {
  ts: new Bun.Transpiler({ loader: "ts", target: "bun", deadCodeElimination: false }),
  tsx: new Bun.Transpiler({ loader: "tsx", target: "bun", deadCodeElimination: false }),
};

/** Words in comments are free. */
function withoutComments(source: Source): string {
  return transpilers[source.path.endsWith(".tsx") ? "tsx" : "ts"].transformSync(source.text);
}
