import { Elysia, t } from "elysia";
import { storeSetting } from "../db/settings.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { RouteDeps } from "./deps.ts";
import { operation } from "./operation.ts";

const ControlJson = t.Object({
  paused: t.Boolean({ description: "Nothing new is claimed." }),
  changed: t.Boolean({ description: "false: it was so already." }),
  running_batches: t.Integer({ description: "Batches that run now; they finish." }),
});

/** Pausing and resuming the whole daemon. */
export function daemonControlRoutes({ processor, events, context, actorOf }: RouteDeps) {
  function setClaiming(isClaiming: boolean, by: string): typeof ControlJson.static {
    const before = processor.view();
    const isChanged = before.isClaiming !== isClaiming;
    if (isClaiming) context.governor.tryAgain();
    if (isChanged) {
      // Held by a person, it stays held over a restart.
      context.commits.now(() => {
        storeSetting(context.db, "paused", isClaiming ? "no" : "yes");
        recordByHand(context, by, { action: isClaiming ? "daemon.resumed" : "daemon.paused" });
      });
      processor.setClaiming(isClaiming);
      if (isClaiming) events.inbox.wake();
      const event = isClaiming ? "daemon.resumed" : "daemon.paused";
      context.log.info(event, isClaiming ? "Batches are claimed again." : "Nothing is claimed until somebody resumes.");
    }
    return { paused: !isClaiming, changed: isChanged, running_batches: before.running };
  }

  return new Elysia({ prefix: "/api/admin" })
    .post("/pause", ({ request }) => setClaiming(false, actorOf(request)), {
      detail: operation({
        tag: "Daemon",
        scope: "operate",
        summary: "Stops claiming batches",
        description: "Those that run finish. Syncs wait (`paused`), and are no stalls.",
        answers: { 200: { description: "Nothing is claimed any more.", schema: ControlJson } },
      }),
    })
    .post("/resume", ({ request }) => setClaiming(true, actorOf(request)), {
      detail: operation({
        tag: "Daemon",
        scope: "operate",
        summary: "Goes on claiming batches",
        answers: { 200: { description: "Batches are claimed again.", schema: ControlJson } },
      }),
    });
}
