/** A piece of HTML: what came from outside is escaped in it. */
export type Html = { readonly html: string };

/** Writes HTML; whatever is put into it is escaped, unless it is HTML already. */
export function html(texts: TemplateStringsArray, ...values: readonly (string | number | Html)[]): Html {
  const written = values.map((value) => (typeof value === "object" ? value.html : escapeText(String(value))));
  return { html: String.raw({ raw: texts }, ...written) };
}

/** Pieces, one after the other. */
export const joined = (pieces: readonly Html[]): Html => ({ html: pieces.map((piece) => piece.html).join("\n") });

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
