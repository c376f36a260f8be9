import type { Fetch } from "../../src/core/units.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";

/** A page of the list as Strava answered it. */
export type AnsweredPage = {
  /** From 1, over all lists that the engine has read. */
  readonly number: number;
  readonly items: number;
  readonly query: URLSearchParams;
  readonly sandbox: Sandbox;
};

/**
 * Shows a test each page of the list that Strava has answered with 200 and the engine does not have yet: so the list can
 * change between one page and the next.
 */
export function onEachPage(see: (page: AnsweredPage) => void): (sandbox: Sandbox) => Fetch {
  let number = 0;
  return (sandbox) => async (request) => {
    const response = await sandbox.fetch(request);
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/athlete/activities") && response.status === 200) {
      const body: unknown = await response.clone().json();
      see({ number: ++number, items: Array.isArray(body) ? body.length : 0, query: searchParams, sandbox });
    }
    return response;
  };
}
