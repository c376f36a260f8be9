import { describe, expect, test } from "bun:test";
import { facts, flag, listOf, moment, orNull, record, type Shape, text, whole, word } from "../../src/core/shape.ts";

function reading(shape: Shape<unknown>, value: unknown, place = "here"): { value: unknown; problems: string[] } {
  const problems: string[] = [];
  return { value: shape.read(value, place, problems), problems };
}
const accepts = (shape: Shape<unknown>, ...values: unknown[]) => {
  for (const value of values) expect(reading(shape, value)).toEqual({ value, problems: [] });
};
const problemOf = (shape: Shape<unknown>, value: unknown) => reading(shape, value).problems.join("; ");

describe("a whole number", () => {
  test("is one that is exact, down to the least where there is one", () => {
    accepts(whole(), 0, -7, Number.MAX_SAFE_INTEGER);
    accepts(whole("Races.", 1), 1, 2);
    expect(problemOf(whole("Races.", 1), 0)).toBe("here: expected a whole number of 1 or more, found 0");
    for (const value of [1.5, Number.MAX_SAFE_INTEGER + 1, "7", true, undefined])
      expect(problemOf(whole(), value)).toStartWith("here: expected a whole number, found ");
  });

  test("says so in its schema", () => {
    expect(whole().schema).toStrictEqual({ type: "integer" });
    expect(whole("Races.", 0).schema).toStrictEqual({ type: "integer", description: "Races.", minimum: 0 });
  });
});

describe("a moment", () => {
  const LAST = Date.UTC(9999, 11, 31);

  test("is one that a calendar can show: from 1970 to the year 9999", () => {
    accepts(moment("The end."), 0, 1, LAST - 1, LAST);
    for (const value of [-1, LAST + 1, 1.5, "2025-11-17", null])
      expect(problemOf(moment("The end."), value)).toStartWith("here: expected milliseconds since the epoch, found ");
  });

  test("says its unit in its schema", () => {
    const description = "The end. Milliseconds since the epoch, UTC.";
    expect(moment("The end.").schema).toStrictEqual({ type: "integer", description });
  });
});

describe("text, yes or no, and words", () => {
  test("are what they are, and nothing that could be taken for it", () => {
    accepts(text(), "", "a word");
    accepts(flag(), true, false);
    accepts(word(["one", "two"]), "one", "two");
    expect(problemOf(text(), 7)).toBe("here: expected text, found 7");
    expect(problemOf(flag(), "true")).toBe('here: expected true or false, found "true"');
    expect(problemOf(flag(), 0)).toBe("here: expected true or false, found 0");
    expect(problemOf(word(["one", "two"]), "three")).toBe('here: expected "one" or "two", found "three"');
  });

  test("say so in their schemas", () => {
    expect(text().schema).toStrictEqual({ type: "string" });
    expect(text("A name.").schema).toStrictEqual({ type: "string", description: "A name." });
    expect(flag().schema).toStrictEqual({ type: "boolean" });
    expect(flag("Held.").schema).toStrictEqual({ type: "boolean", description: "Held." });
    expect(word(["one", "two"], "Which.").schema).toStrictEqual({
      type: "string",
      enum: ["one", "two"],
      description: "Which.",
    });
  });
});

describe("shapes made of shapes", () => {
  test("null may stand where it is allowed, and nowhere else", () => {
    accepts(orNull(whole()), null, 7);
    expect(problemOf(orNull(whole()), undefined)).toBe("here: expected a whole number, found nothing");
    expect(problemOf(whole(), null)).toBe("here: expected a whole number, found null");
    expect(orNull(whole()).schema).toStrictEqual({ anyOf: [{ type: "integer" }, { type: "null" }] });
  });

  test("a list names the place of each of its problems", () => {
    accepts(listOf(whole()), [], [1, 2]);
    expect(reading(listOf(whole()), [1, "x", 3, null]).problems).toEqual([
      'here[1]: expected a whole number, found "x"',
      "here[3]: expected a whole number, found null",
    ]);
    expect(problemOf(listOf(whole()), { 0: 1 })).toBe("here: expected a list, found an object");
    expect(listOf(whole(), "Ids.").schema).toStrictEqual({
      type: "array",
      items: { type: "integer" },
      description: "Ids.",
    });
  });

  test("facts are numbers, texts and nulls by any name", () => {
    accepts(facts("Numbers."), {}, { races: 20, phase: "discovery", batch: null });
    expect(reading(facts("Numbers."), { races: 20, late: true, more: [] })).toEqual({
      value: { races: 20 },
      problems: [
        "here.late: expected a number, text or null, found true",
        "here.more: expected a number, text or null, found a list",
      ],
    });
    for (const value of [null, [], "x", undefined])
      expect(reading(facts("Numbers."), value)).toEqual({
        value: {},
        problems: [expect.stringMatching(/^here: expected an object, found /)],
      });
    expect(facts("Numbers.").schema).toStrictEqual({
      type: "object",
      description: "Numbers.",
      additionalProperties: { anyOf: [{ type: "number" }, { type: "string" }, { type: "null" }] },
    });
  });

  const PAIR = record({ id: whole(), name: text("Its name.") }, "A pair.");

  test("a record has all of its fields, each at its place; what else is in it is dropped", () => {
    expect(reading(PAIR, { id: 7, name: "x", mood: "good" })).toEqual({ value: { id: 7, name: "x" }, problems: [] });
    expect(reading(PAIR, { id: "7" }).problems).toEqual([
      'here.id: expected a whole number, found "7"',
      "here.name: expected text, found nothing",
    ]);
    expect(reading(PAIR, { id: "7", name: "x" }, "").problems).toEqual(['id: expected a whole number, found "7"']);
  });

  test("what is no record at all is one problem, and not one for each field", () => {
    expect(problemOf(PAIR, [])).toBe("here: expected an object, found a list");
    expect(reading(PAIR, "x", "").problems).toEqual(['the file: expected an object, found "x"']);
  });

  test("a record's schema names its fields, and asks for them all", () => {
    expect(PAIR.schema).toStrictEqual({
      type: "object",
      properties: { id: { type: "integer" }, name: { type: "string", description: "Its name." } },
      required: ["id", "name"],
      description: "A pair.",
    });
    expect(record({}).schema).toStrictEqual({ type: "object", properties: {}, required: [] });
  });
});

test("what was found is shown shortly: forty signs of it, and a function or a symbol as it names itself", () => {
  const found = (value: unknown) => problemOf(text(), value).replace("here: expected text, found ", "");
  expect(found(10 ** 20 + 1)).toBe("100000000000000000000");
  expect(problemOf(whole(), "x".repeat(38))).toEndWith(`found "${"x".repeat(38)}"`);
  expect(problemOf(whole(), "x".repeat(39))).toEndWith(`found "${"x".repeat(39)}…`);
  expect([found([]), found({}), found(null), found(undefined), found(Symbol("s"))]).toEqual([
    "a list",
    "an object",
    "null",
    "nothing",
    "Symbol(s)",
  ]);
});
