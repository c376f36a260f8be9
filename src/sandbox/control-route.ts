import type { Sandbox } from "./sandbox-contract.ts";

/** Moves the clock where it can be moved. */
export type MoveClock = (durationMs: number) => void | Promise<void>;

/** A control request, read. */
export type Control = {
  readonly sandbox: Sandbox;
  readonly moveClock: MoveClock | undefined;
  /** The second part of the path: `:id` in a route's name. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
};

/** By method and path: `POST athletes/:id/expire`. Each gives the body of a 200, or undefined for a 204. */
export type ControlRoutes = Readonly<Record<string, (control: Control) => unknown>>;
