import type { SignInStart } from "../../sync/athletes/sign-in.ts";
import { html } from "./html.ts";
import type { Page } from "./page.ts";
import { NOT_CONFIGURED, noPlaceFree, type PageFacts, reconnectLink, retryAfter } from "./page-parts.ts";

/** Why somebody is not sent on to Strava. */
export function startPage(facts: PageFacts, start: Exclude<SignInStart, { outcome: "sent" }>): Page {
  switch (start.outcome) {
    case "strava_not_configured":
      return NOT_CONFIGURED;
    case "full":
      return noPlaceFree(facts);
    case "not_invited":
      return {
        status: 403,
        tone: "bad",
        ...NOT_INVITED[start.why],
        paragraphs: [
          NOT_INVITED[start.why].happened,
          html`Ask whoever runs this for your club for a new one.`,
          reconnectLink(facts),
        ],
      };
    case "held": {
      const { seconds, words } = retryAfter(facts, start.hold);
      return {
        status: 503,
        title: "Please try again later",
        tone: "wait",
        paragraphs: [
          html`Broomwagon cannot ask Strava anything just now, so it cannot see whether you are a member of the club.
Please open this link again ${words}. Nothing is lost until then.`,
        ],
        retryAfterSeconds: seconds,
      };
    }
    case "too_many":
      return {
        status: 429,
        title: "Too many sign-ins at once",
        tone: "wait",
        paragraphs: [html`Please open this link again in a few minutes. Nothing is lost until then.`],
        retryAfterSeconds: A_FEW_MINUTES,
      };
    default:
      return start satisfies never;
  }
}

const A_FEW_MINUTES = 180;

const NOT_INVITED = {
  missing: {
    title: "An invitation is needed",
    happened: html`Only people with an invitation can connect here, and this link holds none. If you have one, open the
link in it, whole.`,
  },
  unknown: {
    title: "This invitation is not known",
    happened: html`Perhaps the link was cut short on its way, or the invitation was taken back.`,
  },
  used: {
    title: "This invitation has been used",
    happened: html`An invitation is good for one person, once.`,
  },
  expired: {
    title: "This invitation has expired",
    happened: html`An invitation is good for a limited time, and this one's is over.`,
  },
} as const;
