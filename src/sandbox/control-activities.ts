import { ControlRefusal, readNumber, readPatch } from "./control-input.ts";
import type { ControlRoutes } from "./control-route.ts";

/** What athletes record. */
export const ACTIVITY_ROUTES: ControlRoutes = {
  "GET activities": ({ sandbox, query }) => sandbox.activities(readNumber(query.get("athlete"), "athlete")),
  "POST activities": ({ sandbox, body }) => sandbox.addActivity(readNumber(body.athlete, "athlete"), readPatch(body)),
  "GET activities/:id": ({ sandbox, id }) => found(sandbox.detail(readActivityId(id)), id),
  "PATCH activities/:id": ({ sandbox, id, body }) =>
    found(sandbox.updateActivity(readActivityId(id), readPatch(body)), id),
  "DELETE activities/:id": ({ sandbox, id }) => {
    found(sandbox.deleteActivity(readActivityId(id)) || undefined, id);
  },
  "POST short-pages": ({ sandbox, body }) =>
    sandbox.shortenPage(readNumber(body.athlete, "athlete"), {
      page: readNumber(body.page, "page"),
      size: readNumber(body.size, "size"),
      perPage: readNumber(body.per_page ?? 200, "per_page"),
    }),
};

function readActivityId(id: string): number {
  return readNumber(id, "the activity's id");
}

function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw new ControlRefusal(404, `the sandbox has no activity ${id}`);
  return value;
}
