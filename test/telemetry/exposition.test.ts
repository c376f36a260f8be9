import { describe, expect, test } from "bun:test";
import { type MetricFamily, renderExposition } from "../../src/telemetry/exposition.ts";
import { readExposition } from "../support/exposition.ts";

test("families are written with help, type and samples, and a strict reader takes them", () => {
  const families: MetricFamily[] = [
    {
      name: "x_total",
      type: "counter",
      help: "What a \\ or\na line break is.",
      samples: [{ value: 3 }, { labels: { kind: 'a "b" \\ c\nd', other: "" }, value: 1e21 }],
    },
    { name: "y", type: "gauge", help: "Of all sizes.", samples: [{ value: -1.5e-7 }] },
    { name: "nothing", type: "gauge", help: "Is left out.", samples: [] },
    {
      name: "z_seconds",
      type: "histogram",
      help: "Times.",
      histogram: {
        buckets: [
          { upperBound: 0.5, count: 2 },
          { upperBound: 60, count: 0 },
          { upperBound: 3_600, count: 3 },
        ],
        beyond: 1,
        sum: 4_321.5,
      },
    },
  ];
  const text = renderExposition(families);
  expect(text).toBe(
    `# HELP x_total What a \\\\ or\\na line break is.
# TYPE x_total counter
x_total 3
x_total{kind="a \\"b\\" \\\\ c\\nd",other=""} 1e+21
# HELP y Of all sizes.
# TYPE y gauge
y -1.5e-7
# HELP z_seconds Times.
# TYPE z_seconds histogram
z_seconds_bucket{le="0.5"} 2
z_seconds_bucket{le="60"} 2
z_seconds_bucket{le="3600"} 5
z_seconds_bucket{le="+Inf"} 6
z_seconds_sum 4321.5
z_seconds_count 6
`,
  );
  expect([...readExposition(text).keys()]).toEqual(["x_total", "y", "z_seconds"]);
  const infinite = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map((value, place) => ({
    labels: { place: String(place) },
    value,
  }));
  const odd = renderExposition([{ name: "odd", type: "gauge", help: "Odd.", samples: infinite }]);
  expect(odd.match(/ (\S+)$/gm)?.slice(2)).toEqual([" +Inf", " -Inf", " NaN"]);
  readExposition(odd);
});

describe("the strict reader of these tests", () => {
  const good = '# HELP a_total A.\n# TYPE a_total counter\na_total{b="c"} 1\n';
  test("takes what is right", () => {
    expect(readExposition(good).get("a_total")?.samples.get('a_total{b="c"}')).toBe(1);
  });

  const histogram = (lines: string) => `# HELP h H.\n# TYPE h histogram\n${lines}`;
  const wrong: [string, string][] = [
    ["no end of line", good.trimEnd()],
    ["no help", "# TYPE a_total counter\na_total 1\n"],
    ["no type", "# HELP a_total A.\na_total 1\n"],
    ["a family twice", good + good],
    ["a sample twice", `${good}a_total{b="c"} 2\n`],
    ["the same labels in another order", `${good}a_total{b="1",d="2"} 1\na_total{d="2",b="1"} 1\n`],
    ["a counter without _total", good.replaceAll("a_total", "a")],
    ["a gauge with _total", good.replace("counter", "gauge")],
    ["a quote that is not escaped", good.replace('"c"', '"c"d"')],
    ["a backslash that escapes nothing", good.replace('"c"', '"\\c"')],
    ["a name of a label with a dash", good.replace("{b=", "{b-b=")],
    ["a comma at the end", good.replace('"c"', '"c",')],
    ["braces around nothing", good.replace('{b="c"}', "{}")],
    ["a value that is none", good.replace(" 1\n", " one\n")],
    ["a counter below zero", good.replace(" 1\n", " -1\n")],
    ["two blanks", good.replace("} 1", "}  1")],
    ["an empty line", `${good}\n`],
    ["a sample of another family", `${good}c_total 1\n`],
    ["a family of nothing", "# HELP a A.\n# TYPE a gauge\n"],
    ["buckets that fall", histogram('h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n')],
    [
      "buckets in no order",
      histogram('h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'),
    ],
    ["no last bucket", histogram('h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n')],
    ["a count that is none", histogram('h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n')],
    ["no sum", histogram('h_bucket{le="+Inf"} 1\nh_count 1\n')],
  ];
  for (const [what, text] of wrong) {
    test(`refuses ${what}`, () => {
      expect(() => readExposition(text)).toThrow();
    });
  }
});
