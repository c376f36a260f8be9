/** A LIKE pattern that finds `text` anywhere, whatever it holds. Use it with `ESCAPE '\\'`. */
export const containing = (text: string): string => `%${text.replace(/[\\%_]/g, "\\$&")}%`;
