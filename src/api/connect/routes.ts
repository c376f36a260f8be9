import { Elysia, t } from "elysia";
import { isBusy } from "../../db/busy.ts";
import { connectAthlete } from "../../sync/athletes/connect-athlete.ts";
import { beginSignIn } from "../../sync/athletes/sign-in.ts";
import type { RouteDeps } from "../deps.ts";
import { operation } from "../operation.ts";
import { callbackPage } from "./callback-page.ts";
import { html } from "./html.ts";
import style from "./page.css" with { type: "text" };
import { type Page, pagePaths, pageResponse } from "./page.ts";
import type { PageFacts } from "./page-parts.ts";
import { startPage } from "./start-page.ts";

/** The pages through which athletes connect: open to anybody, and made for people, so that every answer is a page. */
export function connectRoutes({ context, connectRules, processor, scheduler, revokeJob, randomBytes }: RouteDeps) {
  const facts = (): PageFacts => ({
    paths: pagePaths(context.links.publicUrl),
    rules: connectRules,
    nowMs: context.clock.nowMs(),
  });

  /** What is not foreseen is told on a page as well. The error's words stay in the log: they are for the operator. */
  async function answer(work: () => Promise<Response>): Promise<Response> {
    try {
      return await work();
    } catch (error) {
      const isLocked = isBusy(error);
      const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
      context.log.error("connect.failed", `A sign-in could not be answered: ${said}`);
      return pageResponse(isLocked ? LOCKED : FAILED, pagePaths(context.links.publicUrl));
    }
  }

  return new Elysia({ prefix: "/auth" })
    .get(
      "/strava",
      ({ request }) =>
        answer(async () => {
          const query = new URL(request.url).searchParams;
          const asked = { invitation: query.get("invite") ?? undefined, isAgain: query.has("again") };
          const start = await beginSignIn(context, connectRules, asked, randomBytes);
          if (start.outcome === "sent") return new Response(null, { status: 302, headers: { location: start.url } });
          const told = facts();
          return pageResponse(startPage(told, start), told.paths);
        }),
      {
        detail: {
          ...operation({
            tag: "Connecting",
            scope: "public",
            summary: "Sends an athlete to Strava, to connect",
            description: "For browsers. The link to send to athletes; `GET /api/admin/connect` shows it.",
            answers: {
              302: { description: "On to Strava's authorize page." },
              403: page("No invitation, or no place is free."),
              409: page("Strava is not configured."),
              429: page("Too many sign-ins are under way."),
              503: page("Strava cannot be asked now."),
            },
          }),
          parameters: [
            parameter("invite", "The invitation, where one is needed."),
            parameter("again", "There: the athlete is known already, and needs neither invitation nor free place."),
          ],
        },
      },
    )
    .get(
      "/strava/callback",
      ({ request }) =>
        answer(async () => {
          const query = new URL(request.url).searchParams;
          const given = (name: string) => query.get(name) ?? undefined;
          const callback = { state: given("state"), code: given("code"), scope: given("scope"), error: given("error") };
          const revokeNow = () => void scheduler.runNow(revokeJob);
          const connected = await connectAthlete(context, callback, { connectRules, processor, revokeNow });
          const told = facts();
          return pageResponse(callbackPage(told, connected), told.paths);
        }),
      {
        detail: {
          ...operation({
            tag: "Connecting",
            scope: "public",
            summary: "Connects the athlete whom Strava sends back",
            description: "For browsers. A full sync starts with the connection.",
            answers: {
              200: page("Connected."),
              400: page("The state is missing, wrong, used or too old; or Strava refuses the code."),
              403: page("Refused: by the athlete, a permission, the club, an invitation or Strava's capacity."),
              409: page("Strava is not configured."),
              503: page("Strava did not answer: nothing was stored."),
            },
          }),
          parameters: ["state", "code", "scope", "error"].map((name) => parameter(name, "As Strava gives it.")),
        },
      },
    )
    .get("/page.css", () => new Response(style, { headers: STYLE_HEADERS }), { detail: { hide: true, security: [] } });
}

const STYLE_HEADERS = { "content-type": "text/css; charset=utf-8", "cache-control": "max-age=300" };

const page = (description: string) => ({ description, schema: t.String(), mediaType: "text/html" });

const parameter = (name: string, description: string) => ({
  name,
  in: "query" as const,
  description,
  schema: { type: "string" as const },
});

const LOCKED: Page = {
  status: 503,
  title: "Please try again",
  tone: "wait",
  paragraphs: [html`Something else is busy with Broomwagon's data. Nothing was stored; please try again in a minute.`],
  retryAfterSeconds: 60,
};

const FAILED: Page = {
  status: 500,
  title: "Something went wrong",
  tone: "bad",
  paragraphs: [
    html`That is no fault of yours. Please tell whoever runs this for your club: its log says what happened.`,
  ],
};
