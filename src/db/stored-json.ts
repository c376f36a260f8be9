/** A column that holds JSON, as far as it can be read: a hand may have written anything into it. */
export function readStoredJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The sentences in a column that holds an array of them. */
export function readSentences(text: string): string[] {
  const value = readStoredJson(text);
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** The object in a column that holds one. */
export function readObject(text: string): Record<string, unknown> {
  const value = readStoredJson(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
