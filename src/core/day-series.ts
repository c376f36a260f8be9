/**
 * A year of daily numbers in a few hundred bytes: values by the day's place in its year, 0 for the first of January. Days
 * in a row are one run, `120:3,1,4 200:1` (day 120 had 3, day 121 had 1, …); days with nothing are left out.
 */
export function packDays(days: ReadonlyMap<number, number>): string {
  const runs: { first: number; values: number[] }[] = [];
  for (const [day, value] of [...days].sort(([a], [b]) => a - b)) {
    if (value === 0) continue;
    const run = runs.at(-1);
    if (run !== undefined && run.first + run.values.length === day) run.values.push(value);
    else runs.push({ first: day, values: [value] });
  }
  return runs.map(({ first, values }) => `${first}:${values.join(",")}`).join(" ");
}

/** Reads what `packDays` wrote. What a hand left in between that is no run counts as nothing. */
export function unpackDays(text: string): Map<number, number> {
  const days = new Map<number, number>();
  for (const [, first = "", values = ""] of text.matchAll(/(?<=^| )(\d+):(\d+(?:,\d+)*)(?=$| )/g)) {
    values.split(",").forEach((value, place) => {
      days.set(Number(first) + place, Number(value));
    });
  }
  return days;
}
