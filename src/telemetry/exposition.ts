/**
 * Metrics as Prometheus reads them: the text format, version 0.0.4.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export type MetricFamily = {
  /** Lower case with underscores; a counter's ends in `_total`, and a unit comes before that. */
  readonly name: string;
  readonly help: string;
} & (
  | { readonly type: "counter" | "gauge"; readonly samples: readonly Sample[] }
  | { readonly type: "histogram"; readonly histogram: Histogram }
);

/** One sample for each set of labels. */
export type Sample = { readonly labels?: Labels; readonly value: number };
export type Labels = Readonly<Record<string, string>>;

export type Histogram = {
  /** By upper bound, ascending: how many were in this bucket and in none before. */
  readonly buckets: readonly { readonly upperBound: number; readonly count: number }[];
  /** How many were beyond the last bound. */
  readonly beyond: number;
  readonly sum: number;
};

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Writes families, each with its help and type. A family without a sample is left out. */
export function renderExposition(families: readonly MetricFamily[]): string {
  return families.flatMap(renderFamily).join("");
}

function renderFamily(family: MetricFamily): string[] {
  const lines =
    family.type === "histogram"
      ? renderHistogram(family.name, family.histogram)
      : family.samples.map((sample) => renderSample(family.name, sample));
  if (lines.length === 0) return [];
  return [`# HELP ${family.name} ${escapeHelp(family.help)}\n`, `# TYPE ${family.name} ${family.type}\n`, ...lines];
}

/** Buckets are cumulative there: each holds those before it. */
function renderHistogram(name: string, { buckets, beyond, sum }: Histogram): string[] {
  let below = 0;
  const lines = buckets.map(({ upperBound, count }) => {
    below += count;
    return renderSample(`${name}_bucket`, { labels: { le: renderValue(upperBound) }, value: below });
  });
  const count = below + beyond;
  return [
    ...lines,
    renderSample(`${name}_bucket`, { labels: { le: "+Inf" }, value: count }),
    renderSample(`${name}_sum`, { value: sum }),
    renderSample(`${name}_count`, { value: count }),
  ];
}

function renderSample(name: string, { labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${renderValue(value)}\n`;
}

function renderValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');
