/** The part of a JSON schema that is put into words. */
type Told = {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly const?: unknown;
  readonly anyOf?: readonly Told[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
};

/** What a schema expects, in words: "a whole number, 1 to 200", "one of full, incremental". */
export function expectationOf(jsonSchema: object): string {
  const schema: Told = jsonSchema;
  const choices = schema.anyOf?.filter((choice) => !isNumberAsText(choice));
  if (choices !== undefined) {
    const words = choices.flatMap((choice) => (choice.const === undefined ? [] : [String(choice.const)]));
    if (words.length === choices.length) return `one of ${words.join(", ")}`;
    return choices.map(expectationOf).join(" or ");
  }
  switch (schema.type) {
    case "integer":
    case "number":
      return `a ${schema.type === "integer" || schema.multipleOf === 1 ? "whole number" : "number"}${rangeOf(schema.minimum, schema.maximum)}`;
    case "string":
      if (schema.pattern !== undefined) return `text that matches ${schema.pattern}`;
      return `text${rangeOf(schema.minLength, schema.maxLength, " characters")}`;
    case "boolean":
      return "true or false";
    case "object":
      return "an object";
    default:
      return String(schema.type ?? "something else");
  }
}

/** Elysia's schema of a number in a query begins with "text that is a number". */
export const isNumberAsText = (schema: { readonly type?: unknown; readonly format?: unknown }): boolean =>
  schema.type === "string" && (schema.format === "integer" || schema.format === "numeric");

function rangeOf(least: number | undefined, most: number | undefined, unit = ""): string {
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}${unit}`;
  if (least !== undefined) return `, ${least}${unit} or more`;
  return most === undefined ? "" : `, ${most}${unit} or fewer`;
}
