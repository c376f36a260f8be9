import type { Hold } from "../../core/snapshot.ts";
import { type EpochMs, MINUTE_MS, SECOND_MS } from "../../core/units.ts";
import type { ConnectRules } from "../../sync/athletes/sign-in.ts";
import { type Html, html } from "./html.ts";
import type { Page, PagePaths } from "./page.ts";

/** What every page is made with. */
export type PageFacts = {
  readonly paths: PagePaths;
  readonly rules: ConnectRules;
  readonly nowMs: EpochMs;
};

type Parts = Pick<Page, "button"> & { readonly paragraphs: readonly Html[] };

/** Where more than one page says the same. */
export const ACCESS_ENDED = html`The access that you have just given is being ended, and nothing of yours is kept.`;

/** How to begin anew: those who were invited have a link of their own, which is not known any more here. */
export function startAgain({ paths, rules }: PageFacts, label = "Start again"): Parts {
  if (rules.mode === "open") return { paragraphs: [], button: { label, href: paths.connect } };
  return { paragraphs: [html`To start again, open the link that you were sent once more.`] };
}

/** For whoever is known: no invitation and no free place is asked for. */
export function reconnectLink({ paths }: PageFacts): Html {
  return html`Were you connected before? Then <a href="${paths.reconnect}">connect again here</a>.`;
}

/** When it is worth trying again: the end of the hold, or in a minute. */
export function retryAfter({ nowMs }: PageFacts, hold: Hold | undefined): { seconds: number; words: string } {
  if (hold === undefined || hold.untilMs <= nowMs) return { seconds: A_MINUTE, words: "in a minute" };
  const seconds = Math.ceil((hold.untilMs - nowMs) / SECOND_MS);
  if (seconds <= A_MINUTE) return { seconds, words: "in a minute" };
  const minuteMs = Math.ceil((hold.untilMs - MARGIN_MS) / MINUTE_MS) * MINUTE_MS;
  return { seconds, words: `after ${new Date(minuteMs).toISOString().slice(11, 16)} UTC` };
}

const A_MINUTE = 60;
/** Requests go out again seconds after a window of quota begins; people are told the window. */
const MARGIN_MS = 5 * SECOND_MS;

/** The same for both ways of finding out: from our own count, and from Strava. */
export function noPlaceFree(facts: PageFacts): Page {
  return {
    status: 403,
    title: "No place is free",
    tone: "bad",
    paragraphs: [
      html`Strava lets this application connect a limited number of athletes, and all places are taken. Nothing of yours
was stored.`,
      html`Please tell whoever runs this for your club: they can free a place, or ask Strava for more.`,
      reconnectLink(facts),
    ],
  };
}

export const NOT_CONFIGURED: Page = {
  status: 409,
  title: "Strava is not set up here yet",
  tone: "bad",
  paragraphs: [
    html`Nobody can connect until whoever runs this sets <code>STRAVA_CLIENT_ID</code> and
<code>STRAVA_CLIENT_SECRET</code> and starts Broomwagon again.`,
  ],
};
