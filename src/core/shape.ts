/**
 * The shape of a file that others hand to us: one description that checks it, names every problem, gives its type, and is its
 * JSON Schema as well.
 */
export type Shape<T> = {
  /** The JSON Schema of it. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Adds a sentence to `problems` for whatever is not as described, each with its place; the value is of use only without. */
  read(value: unknown, place: string, problems: string[]): T;
};
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** A whole number. */
export function whole(description?: string, least?: number): Shape<number> {
  return {
    schema: { type: "integer", ...described(description), ...(least === undefined ? {} : { minimum: least }) },
    read(value, place, problems) {
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= (least ?? value)) return value;
      const wanted = least === undefined ? "a whole number" : `a whole number of ${least} or more`;
      problems.push(`${place}: expected ${wanted}, found ${show(value)}`);
      return 0;
    },
  };
}

/** A point in time, in milliseconds since the epoch, UTC; not before 1970 and not after the year 9999. */
export function moment(description: string): Shape<number> {
  return {
    schema: { type: "integer", description: `${description} Milliseconds since the epoch, UTC.` },
    read(value, place, problems) {
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= LAST_MS) return value;
      problems.push(`${place}: expected milliseconds since the epoch, found ${show(value)}`);
      return 0;
    },
  };
}
const LAST_MS = Date.UTC(9999, 11, 31);

export function text(description?: string): Shape<string> {
  return {
    schema: { type: "string", ...described(description) },
    read(value, place, problems) {
      if (typeof value === "string") return value;
      problems.push(`${place}: expected text, found ${show(value)}`);
      return "";
    },
  };
}

export function flag(description?: string): Shape<boolean> {
  return {
    schema: { type: "boolean", ...described(description) },
    read(value, place, problems) {
      if (typeof value === "boolean") return value;
      problems.push(`${place}: expected true or false, found ${show(value)}`);
      return false;
    },
  };
}

/** One of these words. */
export function word<const Words extends readonly [string, ...string[]]>(
  words: Words,
  description?: string,
): Shape<Words[number]> {
  return {
    schema: { type: "string", enum: words, ...described(description) },
    read(value, place, problems) {
      const known: Words[number] | undefined = words.find((one) => one === value);
      if (known !== undefined) return known;
      problems.push(`${place}: expected ${words.map((one) => JSON.stringify(one)).join(" or ")}, found ${show(value)}`);
      return words[0];
    },
  };
}

export function orNull<T>(shape: Shape<T>): Shape<T | null> {
  return {
    schema: { anyOf: [shape.schema, { type: "null" }] },
    read: (value, place, problems) => (value === null ? null : shape.read(value, place, problems)),
  };
}

export function listOf<T>(shape: Shape<T>, description?: string): Shape<readonly T[]> {
  return {
    schema: { type: "array", items: shape.schema, ...described(description) },
    read(value, place, problems) {
      if (Array.isArray(value)) return value.map((item, index) => shape.read(item, `${place}[${index}]`, problems));
      problems.push(`${place}: expected a list, found ${show(value)}`);
      return [];
    },
  };
}

/** Numbers and words by name: what a finding goes by. */
export function facts(description: string): Shape<Readonly<Record<string, number | string | null>>> {
  return {
    schema: {
      type: "object",
      description,
      additionalProperties: { anyOf: [{ type: "number" }, { type: "string" }, { type: "null" }] },
    },
    read(value, place, problems) {
      if (!isObject(value)) {
        problems.push(`${place}: expected an object, found ${show(value)}`);
        return {};
      }
      const read: [string, number | string | null][] = [];
      for (const [name, fact] of Object.entries(value)) {
        if (typeof fact === "number" || typeof fact === "string" || fact === null) read.push([name, fact]);
        else problems.push(`${place}.${name}: expected a number, text or null, found ${show(fact)}`);
      }
      return Object.fromEntries(read);
    },
  };
}

/** An object with all of these fields. Others are let pass and dropped: a newer program may have written more. */
export function record<Fields extends Readonly<Record<string, Shape<unknown>>>>(
  fields: Fields,
  description?: string,
): Shape<{ readonly [Name in keyof Fields]: Shaped<Fields[Name]> }> {
  const entries = Object.entries(fields);
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
      required: Object.keys(fields),
      ...described(description),
    },
    read(value, place, problems) {
      const prefix = place === "" ? "" : `${place}.`;
      if (!isObject(value))
        problems.push(`${place === "" ? "the file" : place}: expected an object, found ${show(value)}`);
      const held = isObject(value) ? value : undefined;
      const read = entries.map(([name, shape]) => [
        name,
        held === undefined ? undefined : shape.read(held[name], `${prefix}${name}`, problems),
      ]);
      // Where there is no problem, each field is what its own shape read.
      return Object.fromEntries(read);
    },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const described = (description: string | undefined) => (description === undefined ? {} : { description });

/** What was found, shortly: a file may hold anything. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > SHOWN ? `${shown.slice(0, SHOWN)}…` : shown;
}
const SHOWN = 40;
