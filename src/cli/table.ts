import { visibleWidth } from "./paint.ts";

/** Rows in columns that line up, two spaces apart, the last one ragged. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => visibleWidth(row[column] ?? ""))),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - visibleWidth(cell))))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
