/**
 * What went wrong with a request, by who has to wait:
 * - `application`: the next request of anybody would fare the same. Everything waits, nothing is marked.
 * - `athlete`: nothing of this athlete can be read until they, or a new token, say otherwise. The others go on.
 * - `item`: only what was asked for is in doubt. It is isolated, and tried again where `isRetryable` says so.
 * - `caller`: it was called off from this side. Nothing is known, nothing is marked.
 */
export type Fault = FaultKind & {
  /** The HTTP status; undefined when no answer came. */
  readonly status?: number | undefined;
  /** What happened, in a sentence for an operator. Holds no token, secret, address or personal field. */
  readonly message: string;
};

export type FaultKind =
  // 429: a quota window is full. Which one, the rate headers of the same reply say; the body never does.
  | { readonly scope: "application"; readonly kind: "rate_limited" }
  // 403 that names the Application: inactive, as when its owner's subscription lapsed. Refreshing tokens still works.
  | { readonly scope: "application"; readonly kind: "app_inactive" }
  // 400 or 401 that names the Application: the client id or secret is wrong. No athlete is to blame.
  | { readonly scope: "application"; readonly kind: "wrong_client" }
  // 503, 597, a gateway's web page, a redirect: it is not the API that answered, and it would answer all alike.
  | { readonly scope: "application"; readonly kind: "maintenance" }
  // 401: the access token is not good (any more). A forced refresh tells a stale token from a revoked grant.
  | { readonly scope: "athlete"; readonly kind: "unauthorized" }
  // 401 or 403 that names a missing `…_permission`: the athlete granted too little.
  | { readonly scope: "athlete"; readonly kind: "scope_missing" }
  // The refresh token was refused: revoked, or replaced by one that was lost. Only connecting again helps.
  | { readonly scope: "athlete"; readonly kind: "access_revoked" }
  // 404: not visible to this token: deleted, made private, or never there.
  | { readonly scope: "item"; readonly kind: "not_found" }
  // 403 that names neither the Application nor a permission: this one thing is closed. Never a reason to withdraw.
  | { readonly scope: "item"; readonly kind: "forbidden" }
  // A plain 5xx. Strava answers `500 {"message":"error"}` for single corrupt activities, for days.
  | { readonly scope: "item"; readonly kind: "server_error" }
  // No complete answer within the time limit.
  | { readonly scope: "item"; readonly kind: "timeout" }
  // The connection failed or broke off: DNS, refused, reset.
  | { readonly scope: "item"; readonly kind: "network" }
  // An answer that is not what was asked for: not JSON, cut off, empty, too large, the wrong shape.
  | { readonly scope: "item"; readonly kind: "garbage" }
  // The activity belongs to another athlete than the one whose token asked.
  | { readonly scope: "item"; readonly kind: "wrong_athlete" }
  // 400 or 401 for a code: used already, too old, or never given out. Whoever brought it begins anew.
  | { readonly scope: "item"; readonly kind: "code_refused" }
  // 403 for a code that names the Application: no more athletes fit. Those who are connected notice nothing.
  | { readonly scope: "item"; readonly kind: "capacity_reached" }
  // 400 for a subscription to events: the application has one already, and Strava allows one.
  | { readonly scope: "item"; readonly kind: "subscription_exists" }
  // 400 for a subscription to events: Strava asked the callback, and did not get its challenge back in time.
  | { readonly scope: "item"; readonly kind: "callback_unverifiable" }
  // Any other 4xx: the request itself is refused, and would be again.
  | { readonly scope: "item"; readonly kind: "bad_request" }
  // The caller's signal called the request off, before or while it ran.
  | { readonly scope: "caller"; readonly kind: "aborted" };

/** True when the same request may well succeed later with nothing changed on our side. */
export function isRetryable(fault: FaultKind): boolean {
  switch (fault.kind) {
    case "rate_limited":
    case "app_inactive":
    case "maintenance":
    case "server_error":
    case "timeout":
    case "network":
    case "garbage":
    case "aborted":
      return true;
    case "wrong_client":
    case "unauthorized":
    case "scope_missing":
    case "access_revoked":
    case "not_found":
    case "forbidden":
    case "wrong_athlete":
    case "code_refused":
    case "capacity_reached":
    case "subscription_exists":
    case "callback_unverifiable":
    case "bad_request":
      return false;
    default:
      return fault satisfies never;
  }
}
