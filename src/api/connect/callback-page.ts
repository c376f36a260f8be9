import type { Connected } from "../../sync/athletes/connect-athlete.ts";
import { html } from "./html.ts";
import type { Page } from "./page.ts";
import { ACCESS_ENDED, NOT_CONFIGURED, noPlaceFree, type PageFacts, retryAfter, startAgain } from "./page-parts.ts";

/** What came of a sign-in. */
export function callbackPage(facts: PageFacts, connected: Connected): Page {
  const again = startAgain(facts);
  switch (connected.outcome) {
    case "connected":
      return connectedPage(facts, connected);
    case "strava_not_configured":
      return NOT_CONFIGURED;
    case "state_unknown":
      return {
        status: 400,
        title: "This sign-in is over",
        tone: "bad",
        paragraphs: [
          html`A sign-in is good once, and for 15 minutes. If a page has just told you that you are connected, all is well:
you are connected already, and nothing more is needed. Otherwise nothing was stored.`,
          ...again.paragraphs,
        ],
        button: again.button,
      };
    case "denied":
      return {
        status: 403,
        title: "You did not agree",
        tone: "bad",
        paragraphs: [html`Nothing was stored, and nothing of yours is read.`, ...again.paragraphs],
        button: again.button,
      };
    case "code_refused":
      return {
        status: 400,
        title: "Strava did not accept this sign-in",
        tone: "bad",
        paragraphs: [
          html`What Strava gave your browser is good once, and for a few minutes. Nothing was stored.`,
          ...again.paragraphs,
        ],
        button: again.button,
      };
    case "capacity_reached":
      return noPlaceFree(facts);
    case "scope_missing":
      return connected.isKnown ? heldBackPage(facts) : scopeMissingPage(facts);
    case "not_a_member":
      return {
        status: 403,
        title: "Only members of the club can connect",
        tone: "bad",
        paragraphs: [
          html`By Strava's word you are not a member of <a href="https://www.strava.com/clubs/${facts.rules.clubId ?? 0}">the club</a>. Join it at Strava
first.`,
          ACCESS_ENDED,
          ...again.paragraphs,
        ],
        button: again.button,
      };
    case "not_invited":
      return notInvitedPage(connected.hadInvitation);
    case "club_unknown": {
      const { seconds, words } = retryAfter(facts, connected.hold);
      return {
        status: 503,
        title: "Please try again later",
        tone: "wait",
        paragraphs: [
          html`Strava did not say whether you are a member of the club. That is no fault of yours; please try again ${words}.`,
          ACCESS_ENDED,
          ...again.paragraphs,
        ],
        button: again.button,
        retryAfterSeconds: seconds,
      };
    }
    case "erased":
      return {
        status: 403,
        title: "You were disconnected a moment ago",
        tone: "bad",
        paragraphs: [
          html`While you were signing in, what was kept of you here was erased.`,
          ACCESS_ENDED,
          ...again.paragraphs,
        ],
        button: again.button,
      };
    case "application_refused":
      return {
        status: 503,
        title: "Strava refuses this application",
        tone: "wait",
        paragraphs: [
          html`That is no fault of yours, and nothing was stored. Please tell whoever runs this for your club: the
application's id and secret, or its subscription at Strava, need a look.`,
        ],
      };
    case "strava_unavailable": {
      const { seconds, words } = retryAfter(facts, connected.hold);
      return {
        status: 503,
        title: "Strava did not answer",
        tone: "wait",
        paragraphs: [
          html`Nothing was stored, and nothing is lost: please try again ${words}.`,
          ...startAgain(facts, "Try again").paragraphs,
        ],
        button: startAgain(facts, "Try again").button,
        retryAfterSeconds: seconds,
      };
    }
    default:
      return connected satisfies never;
  }
}

function connectedPage(
  { paths }: PageFacts,
  { name, isNew, granted }: Extract<Connected, { outcome: "connected" }>,
): Page {
  const who = name === "" ? "You are" : `${name} is`;
  const withoutPrivate = html`You left out what only you can see: races among it are not found. To include them,
<a href="${paths.reconnect}">connect again</a> and leave that box ticked.`;
  return {
    status: 200,
    title: `${who} connected${isNew ? "" : " again"}`,
    tone: "good",
    paragraphs: [
      html`That is all. Your races now come from Strava by themselves: the first ones usually within minutes, all of them
within some days at most. You can close this page.`,
      html`Nothing of yours is public, and nothing will be unless you agree to it. Whoever runs this for your club records your
consent, and takes it back when you say so.`,
      ...(granted.reads === "shared" ? [withoutPrivate] : []),
      html`To end it, ask them to disconnect you: everything of yours is erased at once. Or take the access back
<a href="https://www.strava.com/settings/apps">in Strava's settings</a>.`,
    ],
  };
}

function scopeMissingPage(facts: PageFacts): Page {
  const again = startAgain(facts);
  return {
    status: 403,
    title: "The permission to read your activities is missing",
    tone: "bad",
    paragraphs: [
      html`On Strava's page the box about viewing your activities was not ticked, and without it there are no races to find.
The box about private activities is up to you.`,
      ACCESS_ENDED,
      ...again.paragraphs,
    ],
    button: again.button,
  };
}

function heldBackPage({ paths }: PageFacts): Page {
  return {
    status: 403,
    title: "The permission to read your activities is gone",
    tone: "bad",
    paragraphs: [
      html`You are known here, and this time the box about viewing your activities was not ticked. Your races stay as they
are, and no new ones are found until you connect again with that box ticked.`,
    ],
    button: { label: "Connect again", href: paths.reconnect },
  };
}

function notInvitedPage(hadInvitation: boolean): Page {
  return {
    status: 403,
    title: hadInvitation ? "This invitation lets nobody in any more" : "An invitation is needed",
    tone: "bad",
    paragraphs: [
      hadInvitation
        ? html`It was used, expired or was taken back while you were signing in.`
        : html`Your Strava account was not connected here before, and newcomers need an invitation.`,
      ACCESS_ENDED,
      html`Ask whoever runs this for your club for a new one.`,
    ],
  };
}
