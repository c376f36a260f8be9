import type { Clock, Fetch } from "../core/units.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Edges } from "./edges.ts";
import type { Machine } from "./machine.ts";

/** The right to write a batch's results. */
export type Lease = { readonly batchId: number; readonly token: string };

/** A request of ours that is on its way, or was when its process died. */
export type Errand = {
  readonly process: DaemonProcess;
  readonly method: string;
  readonly path: string;
  /** The token that it carries; null: none. */
  readonly bearer: string | null;
  readonly sentAtMs: number;
  /** When its answer, or its failure, reached the process; and how many commits of its own there had been by then. */
  heardAtMs: number | undefined;
  /** What was answered; 0: nothing. */
  status: number;
  commitsBefore: number;
  /** The lease under which it was sent, where it is of a batch. */
  lease?: Lease | undefined;
};

/** Whether Strava counts a request against a quota. */
export const isMetered = (path: string): boolean => /^\/api\/v3\/(athlete|activities)\b/.test(path);

/** The activity whose detail an errand asks for. */
export function detailAskedFor({ method, path }: Errand): number | undefined {
  const [, id] = /^\/api\/v3\/activities\/(\d+)(?:\?|$)/.exec(path) ?? [];
  return method === "GET" && id !== undefined ? Number(id) : undefined;
}

/** The way from the daemon to Strava: what is on it when a process dies is lost, and a machine that sleeps hears nothing. */
export class Network {
  readonly #machine: Machine;
  readonly #edges: Edges;
  readonly #clock: Clock;
  readonly #strava: Fetch;
  readonly #answered: () => void;
  readonly #listen: { sent(errand: Errand): void; heard(errand: Errand, status: number): void };
  readonly errands: Errand[] = [];

  /** @param parts.answered is called when Strava has answered, or has failed to, whoever hears of it. */
  constructor(parts: {
    machine: Machine;
    edges: Edges;
    clock: Clock;
    strava: Fetch;
    answered: () => void;
    listen: { sent(errand: Errand): void; heard(errand: Errand, status: number): void };
  }) {
    this.#machine = parts.machine;
    this.#edges = parts.edges;
    this.#clock = parts.clock;
    this.#strava = parts.strava;
    this.#answered = parts.answered;
    this.#listen = parts.listen;
  }

  carry(process: DaemonProcess, request: Request): Promise<Response> {
    this.#edges.pass("request", process);
    const { pathname, search } = new URL(request.url);
    const errand: Errand = {
      process,
      method: request.method,
      path: pathname + search,
      bearer: request.headers.get("authorization")?.replace(/^Bearer /, "") ?? null,
      sentAtMs: this.#clock.nowMs(),
      heardAtMs: undefined,
      status: 0,
      commitsBefore: 0,
    };
    this.errands.push(errand);
    this.#listen.sent(errand);
    const answer = this.#strava(request);
    answer.then(this.#answered, this.#answered);
    return this.#hear(process, answer, (status) => {
      errand.heardAtMs = this.#clock.nowMs();
      errand.status = status;
      errand.commitsBefore = this.#edges.commitsOf(process);
      this.#listen.heard(errand, status);
    });
  }

  /** A message that is no request to Strava: it comes by the same edges. */
  post(process: DaemonProcess, send: () => Promise<Response>): Promise<Response> {
    this.#edges.pass("request", process);
    return this.#hear(process, send(), () => {});
  }

  /** @param note is told of what is heard, before the process is; 0: of a failure. */
  #hear(process: DaemonProcess, answer: Promise<Response>, note: (status: number) => void): Promise<Response> {
    return new Promise((resolve, reject) => {
      const arrive = (status: number, settle: () => void) =>
        this.#machine.deliver(() => {
          if (!process.isAlive()) return;
          try {
            this.#edges.pass("answered", process);
          } catch (error) {
            // It died with the answer on the wire.
            return reject(error);
          }
          note(status);
          settle();
        });
      answer.then(
        (response) => arrive(response.status, () => resolve(response)),
        (error: unknown) => arrive(0, () => reject(error)),
      );
    });
  }
}
