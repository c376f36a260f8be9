/** What must hold and does not; `invariant` as of a breach. */
export type Found = { readonly invariant: string; readonly says: string };

/** `graceMs`: it is a breach only where it still stands so much later; `key`: what makes it the same then. */
export type StandingFound = Found & { readonly graceMs: number; readonly key: string };
