import { nearestName } from "../core/nearest.ts";

/** A field that its route does not know. Elysia drops such fields before it looks at the others. */
export type UnknownField = { readonly field: string; readonly message: string };

export class UnknownFieldsError extends Error {
  override readonly name = "UnknownFieldsError";
  constructor(readonly fields: readonly UnknownField[]) {
    super("The body has fields that the route does not know");
  }
}

/**
 * For a route's `transform`, which sees the body as it came: a setting with a misspelt name that is taken without a word
 * would leave a person believing in a setting that is none.
 * @throws UnknownFieldsError when the body, or an object in it, has a field that its schema has not.
 */
export function refuseUnknownFields(schema: object): (request: { readonly body: unknown }) => void {
  return ({ body }) => {
    const unknown = unknownFields(body, schema, "");
    if (unknown.length > 0) throw new UnknownFieldsError(unknown.slice(0, FIELDS_TOLD));
  };
}

/** The part of a JSON schema that says which fields there are. */
type Shape = { readonly properties?: Readonly<Record<string, Shape>>; readonly anyOf?: readonly Shape[] };

function unknownFields(value: unknown, schema: Shape, path: string): UnknownField[] {
  const properties = schema.properties ?? schema.anyOf?.find((choice) => choice.properties !== undefined)?.properties;
  if (properties === undefined || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known !== undefined) return unknownFields(inner, known, `${path}${name}.`);
    const told = name.slice(0, NAME_TOLD);
    return { field: `${path}${told}`, message: `is no field here${meant(told, properties)}` };
  });
}

/** Whatever stands in the place of a name, so much of it is told. */
const NAME_TOLD = 60;
const FIELDS_TOLD = 20;

function meant(name: string, properties: object): string {
  const candidate = nearestName(name, Object.keys(properties));
  return candidate === undefined ? "" : ` (did you mean ${candidate}?)`;
}
