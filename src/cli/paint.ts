/** Colours for a terminal; without `color`, each gives the text as it is. */
export type Paint = Readonly<Record<"bold" | "dim" | "red" | "green" | "yellow" | "cyan", (text: string) => string>>;

export function createPaint(color: boolean): Paint {
  const style = (code: number) => (text: string) => (color && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: style(1), dim: style(2), red: style(31), green: style(32), yellow: style(33), cyan: style(36) };
}

/** How many columns a text takes: colours take none. */
export function visibleWidth(text: string): number {
  return Bun.stringWidth(text);
}

/** Text from outside on one line, without characters that would drive the terminal. */
export function plainText(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}

/** `████████░░░░`, full at 1. */
export function renderBar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}
