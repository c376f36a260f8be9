import { describe, expect, test } from "bun:test";
import { type ArgumentSpec, parseArguments } from "../../src/cli/arguments.ts";

const spec: ArgumentSpec = {
  flags: { wait: { description: "" }, mode: { takes: "MODE", description: "" } },
  isSettingFlag: (name) => name === "port",
  settingFlags: ["port"],
  positionals: ["athlete-id"],
  optional: 1,
};

const parse = (...args: string[]) => parseArguments(args, spec);
const given = (...args: string[]) => {
  const parsed = parse(...args);
  if (!parsed.ok) throw new Error(parsed.problems.join(" "));
  return parsed.given;
};
const problems = (...args: string[]) => {
  const parsed = parse(...args);
  return parsed.ok ? [] : parsed.problems;
};

describe("arguments", () => {
  test("a value follows its flag after a space or an equals sign", () => {
    expect(given("--mode", "full").values).toEqual({ mode: "full" });
    expect(given("--mode=full").values).toEqual({ mode: "full" });
    expect(given("--mode=a=b").values).toEqual({ mode: "a=b" });
    expect(given("--mode=").values).toEqual({ mode: "" });
  });

  test("flags of settings are kept apart from those of the command", () => {
    expect(given("--port", "0", "--mode", "full")).toMatchObject({ settings: { port: "0" }, values: { mode: "full" } });
  });

  test("the last of two wins, so that a script can append", () => {
    expect(given("--mode", "full", "--mode", "incremental").values).toEqual({ mode: "incremental" });
  });

  test("a switch takes no value, and what follows it is a positional", () => {
    expect(given("--wait", "3").positionals).toEqual(["3"]);
    expect([...given("--wait", "3").switches]).toEqual(["wait"]);
    expect(problems("--wait=yes")).toEqual(['--wait takes no value, and was given "yes".']);
  });

  test("after two dashes all is positional, and one dash alone is too", () => {
    expect(given("--", "--wait").positionals).toEqual(["--wait"]);
    expect(given("-").positionals).toEqual(["-"]);
  });

  test("a flag at the end, or before another flag, lacks its value", () => {
    expect(problems("--mode")).toEqual(["--mode needs a value: --mode=MODE."]);
    expect(problems("--mode", "--wait")).toEqual(["--mode needs a value: --mode=MODE."]);
    expect(given("--mode=--wait").values).toEqual({ mode: "--wait" });
  });

  test("an unknown flag is named with the nearest known one, and never with its value", () => {
    expect(problems("--prot", "secret")).toEqual(["There is no flag --prot. Did you mean --port?"]);
    expect(problems("--prot=secret")).toEqual(["There is no flag --prot. Did you mean --port?"]);
    expect(problems("--something-else")).toEqual(["There is no flag --something-else."]);
  });

  test("names that every object has are no flags", () => {
    expect(problems("--constructor")).toEqual(["There is no flag --constructor."]);
    expect(problems("--toString=1")).toEqual(["There is no flag --toString."]);
  });

  test("every problem is listed at once", () => {
    expect(problems("--wiat", "--mode")).toHaveLength(2);
  });

  test("positionals may be as many as the command has places, the optional ones left out", () => {
    expect(problems("1")).toEqual([]);
    expect(problems()).toEqual([]);
    expect(problems("1", "2")).toEqual(['"2": one argument too many.']);
    const needed = parseArguments([], { ...spec, optional: 0 });
    expect(needed).toEqual({ ok: false, problems: ["athlete-id is missing."] });
  });
});
