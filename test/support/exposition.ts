/**
 * A strict reader of the Prometheus text format, 0.0.4: it refuses what Prometheus would let pass but its rules forbid, so
 * that a test may trust what it accepts.
 */
export type ReadFamily = {
  readonly type: string;
  readonly help: string;
  /** By name and labels as they stand: `x_total{kind="a"}`. */
  readonly samples: Map<string, number>;
};

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\\\\\|\\\\n)*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|[+-]Inf|NaN)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\\\|\\"|\\n)*)"(?:,(?=.)|$)/;

/** @throws Error that names the line for anything that is not as the format says. */
export function readExposition(text: string): Map<string, ReadFamily> {
  if (!text.endsWith("\n")) throw new Error("The last line does not end");
  const families = new Map<string, ReadFamily>();
  let current: { name: string; help: string; family?: ReadFamily } | undefined;
  const refuse = (line: string, why: string): never => {
    throw new Error(`${why}: ${line}`);
  };
  for (const line of text.slice(0, -1).split("\n")) {
    const help = HELP.exec(line);
    const type = TYPE.exec(line);
    if (help !== null) {
      const [, name = "", words = ""] = help;
      if (families.has(name)) refuse(line, "A family comes twice");
      if (words === "") refuse(line, "A help that says nothing");
      current = { name, help: words };
    } else if (type !== null) {
      const [, name = "", kind = ""] = type;
      if (current?.name !== name || current.family !== undefined) refuse(line, "A type without its help before it");
      if (kind === "counter" && !name.endsWith("_total")) refuse(line, "A counter that does not end in _total");
      if (kind !== "counter" && name.endsWith("_total")) refuse(line, "No counter, and ends in _total");
      const family: ReadFamily = { type: kind, help: current?.help ?? "", samples: new Map() };
      families.set(name, family);
      current = { name, help: family.help, family };
    } else {
      const [, name = "", labels, value = ""] = SAMPLE.exec(line) ?? refuse(line, "No sample");
      const { family, name: own } = current ?? refuse(line, "A sample of no family");
      if (family === undefined) return refuse(line, "A sample before its type");
      const suffixes = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!suffixes.some((suffix) => own + suffix === name)) refuse(line, `A sample in the family ${own}`);
      const key = `${name}{${sortedLabels(labels, line, refuse)}}`;
      if (family.samples.has(key)) refuse(line, "The same labels twice");
      if (family.type === "counter" && !(Number(value) >= 0)) refuse(line, "A counter below zero");
      family.samples.set(key, value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value));
    }
  }
  for (const [name, family] of families) {
    if (family.samples.size === 0) throw new Error(`A family without a sample: ${name}`);
    if (family.type === "histogram") checkHistogram(name, family);
  }
  return families;
}

function sortedLabels(text: string | undefined, line: string, refuse: (line: string, why: string) => never): string {
  const labels = new Map<string, string>();
  if (text === "") refuse(line, "Braces around nothing");
  for (let rest = text ?? ""; rest !== ""; ) {
    const [whole, name = "", value = ""] = LABEL.exec(rest) ?? refuse(line, "A label that is none");
    if (labels.has(name) || name.startsWith("__")) refuse(line, "A label twice, or a reserved one");
    labels.set(name, value);
    rest = rest.slice(whole.length);
  }
  return [...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
}

/** Buckets ascend and add up to the count, and the last one holds all. */
function checkHistogram(name: string, { samples }: ReadFamily): void {
  const buckets = [...samples].filter(([key]) => key.startsWith(`${name}_bucket{`));
  const bounds = buckets.map(([key]) => /le="([^"]*)"/.exec(key)?.[1] ?? "");
  const numbers = bounds.map((bound) => (bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound)));
  const counts = buckets.map(([, count]) => count);
  const ascends = (values: readonly number[], isStrict: boolean) =>
    values.every((value, place) => place === 0 || value > (values[place - 1] ?? 0) - (isStrict ? 0 : Number.EPSILON));
  const isWhole =
    bounds.at(-1) === "+Inf" &&
    ascends(numbers, true) &&
    ascends(counts, false) &&
    samples.get(`${name}_count{}`) === counts.at(-1) &&
    samples.has(`${name}_sum{}`);
  if (!isWhole) throw new Error(`A histogram that is none: ${name}`);
}
