import type { Fault } from "../../core/fault.ts";
import type { Subscription } from "../../core/strava-event.ts";

/** What came of looking after the subscription. `message` says what happened and what to do about it. */
export type KeepOutcome =
  | { readonly outcome: "kept" } // it was there, and is ours
  | { readonly outcome: "created" }
  | { readonly outcome: "removed" } // or there was none
  // Switched off, and none of ours is known; whether Strava still has one could not be seen.
  | { readonly outcome: "switched_off"; readonly message: string }
  | { readonly outcome: "public_url_missing" } // Strava could reach nobody
  | { readonly outcome: "strava_not_configured" }
  | { readonly outcome: "subscription_taken"; readonly message: string } // Strava allows one, and it is somebody else's
  | { readonly outcome: "strava_refused"; readonly message: string };

/** @see https://developers.strava.com/docs/webhooks/ "callback_url" */
export const LONGEST_CALLBACK = 255;

export const TOO_LONG: KeepOutcome = {
  outcome: "strava_refused",
  message: `Strava takes an address of ${LONGEST_CALLBACK} characters at most, and with what is added BROOMWAGON_PUBLIC_URL is too long. Serve the daemon at a shorter one.`,
};

/** What came of finding somebody else's. Its address may hold somebody else's secret: the host says enough. */
export function taken({ id, callbackUrl }: Subscription): KeepOutcome {
  const host = URL.canParse(callbackUrl) ? new URL(callbackUrl).host : "an address that is none";
  return {
    outcome: "subscription_taken",
    message: `Strava allows one subscription an application, and it goes to ${host} (subscription ${id}). If nobody needs that any more, send {"replace": true} with POST /api/admin/webhook (or "broomwagon webhook create --replace"); else give this daemon an application of its own.`,
  };
}

/** What came of a refusal. @param maskedUrl the address that Strava was to verify, without what nobody may guess. */
export function refused(fault: Fault, maskedUrl?: string): KeepOutcome {
  return { outcome: "strava_refused", message: wordsOf(fault, maskedUrl) };
}

/** What came of switching off where none of ours is known, and Strava did not say what it has. */
export function switchedOff({ message }: Fault): KeepOutcome {
  return {
    outcome: "switched_off",
    message: `It is switched off, and no subscription of this daemon's is known. Whether Strava has one could not be seen: ${message}. Send DELETE /api/admin/webhook again (or "broomwagon webhook delete") to look once more.`,
  };
}

function wordsOf(fault: Fault, maskedUrl: string | undefined): string {
  switch (fault.kind) {
    case "callback_unverifiable":
      return `${fault.message}: it asks ${maskedUrl} from outside and wants its challenge back within 2 s. See that BROOMWAGON_PUBLIC_URL leads to this daemon from the internet, over HTTPS with a valid certificate.`;
    case "subscription_exists":
      return `${fault.message}, which it did not list a moment ago. It is tried again at the next turn.`;
    case "wrong_client":
      return `${fault.message}. Check STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET.`;
    case "not_found":
      return `${fault.message}. See that BROOMWAGON_STRAVA_API_URL leads to Strava's API, and that this application may subscribe. Everything holds without events: lists find what they would have told, later. It is tried again at the next turn.`;
    default:
      return `${fault.message}. It is tried again at the next turn.`;
  }
}
