/** The numbers that a finding goes by. No names. */
export type Evidence = Readonly<Record<string, number | string | null>>;
