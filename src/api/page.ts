import { t } from "elysia";
import { refuse } from "./problem.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** The query parameters of every list. */
export const PAGE_QUERY = {
  limit: t.Optional(
    t.Integer({ minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT, description: "How many items at most." }),
  ),
  cursor: t.Optional(t.String({ maxLength: 200, description: "`next_cursor` of the page before." })),
};

export type PageQuery = { readonly limit?: number | undefined; readonly cursor?: string | undefined };

/** Where a page begins: behind the position of the last item of the page before; undefined: at the beginning. */
export type Page = { readonly limit: number; readonly after: readonly number[] | undefined };

/** Reads `limit` and `cursor`; undefined when the cursor is none of ours. `width`: numbers in a position. */
export function readPage(query: PageQuery, width = 1): Page | undefined {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (query.cursor === undefined) return { limit, after: undefined };
  const after = decodeCursor(query.cursor);
  return after?.length === width ? { limit, after } : undefined;
}

/** 422: the cursor is not one that we gave. */
export const refuseCursor = () =>
  refuse(422, "invalid_cursor", "The cursor is not one that this list gave. Start again without one.");

/** A list's answer: `next_cursor` names the last item read, where there may be more behind it. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  how: { item: (row: Row) => Item; position: (row: Row) => readonly number[] },
): { items: Item[]; next_cursor: string | null } {
  const last = rows.at(-1);
  return {
    items: rows.map(how.item),
    next_cursor: last === undefined || rows.length < limit ? null : encodeCursor(how.position(last)),
  };
}

/** Opaque, so that nobody builds one by hand and the inside may change. */
export function encodeCursor(position: readonly number[]): string {
  return Buffer.from(position.join(",")).toString("base64url");
}

function decodeCursor(cursor: string): readonly number[] | undefined {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  if (!/^-?\d+(,-?\d+)*$/.test(text)) return undefined;
  const position = text.split(",").map(Number);
  return position.every(Number.isSafeInteger) ? position : undefined;
}
