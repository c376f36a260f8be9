/** An error body as Strava writes it. */
export type StravaError = {
  readonly message: string;
  readonly errors: readonly { readonly resource: string; readonly field: string; readonly code: string }[];
};

const error = (message: string, resource: string, field: string, code: string): StravaError => ({
  message,
  errors: [{ resource, field, code }],
});

/** 429. The field says nothing of the window that is full: seen with the read limit hit (stravalib PR #446). */
export const RATE_LIMIT_EXCEEDED = error("Rate Limit Exceeded", "Application", "overall rate limit", "exceeded");
/** 429, as others saw it. */
export const RATE_LIMIT_EXCEEDED_SHORT = error("Rate Limit Exceeded", "Application", "rate limit", "exceeded");
/** 401 for a token that is unknown, expired or revoked. */
export const ACCESS_TOKEN_INVALID = error("Authorization Error", "Athlete", "access_token", "invalid");
/** 401 for a token without the scope (dreeve #1186). */
export const READ_PERMISSION_MISSING = missingPermission("activity:read_permission");
export const WRITE_PERMISSION_MISSING = missingPermission("activity:write_permission");
/** 404 for an activity that is deleted, somebody else's, or hidden from this token. */
export const ACTIVITY_NOT_FOUND = error("Resource Not Found", "Activity", "", "not found");
/** 404 in the older wording. */
export const ACTIVITY_NOT_FOUND_OLD = error("Record Not Found", "Activity", "id", "invalid");
/** 403 on every API call when the application owner's subscription has lapsed; refreshes still work. */
export const APPLICATION_INACTIVE = error("Forbidden", "Application", "Status", "Inactive");
/** 400 on a dead refresh token. */
export const REFRESH_TOKEN_INVALID = error("Bad Request", "RefreshToken", "refresh_token", "invalid");
/** 400 on a code that was used or never given. */
export const AUTHORIZATION_CODE_INVALID = error("Bad Request", "AuthorizationCode", "code", "invalid");
/** 403 on an exchange when the application has as many athletes as it may; the body is unconfirmed. */
export const CAPACITY_REACHED = error("Forbidden", "Application", "athletes", "limit exceeded");
export const PATH_INVALID = error("Record Not Found", "resource", "path", "invalid");
export const SUBSCRIPTION_EXISTS = error("Bad Request", "PushSubscription", "", "already exists");
export const SUBSCRIPTION_NOT_FOUND = error("Record Not Found", "PushSubscription", "id", "not found");
/** 500 for a corrupt activity (dreeve #136). */
export const INTERNAL_ERROR = { message: "error" };

/** 400 or 401: both were seen for a wrong client. */
export function clientInvalid(status: 400 | 401): StravaError {
  return error(status === 401 ? "Authorization Error" : "Bad Request", "Application", "client_id", "invalid");
}

export function badRequest(resource: string, field: string, code: "invalid" | "missing"): StravaError {
  return error("Bad Request", resource, field, code);
}

/** 400 on a subscription whose callback did not prove itself (dreeve's notes on webhooks). */
export function subscriptionRefused(code: string): StravaError {
  return error("Bad Request", "PushSubscription", "callback url", code);
}

/** The page that stands before Strava in an outage. */
export const MAINTENANCE_PAGE =
  "<!DOCTYPE html>\n<html><head><title>Strava</title></head>\n<body><h1>Strava is temporarily unavailable</h1>\n" +
  "<p>We are working to bring it back. Please try again soon.</p></body></html>\n";

/** The body that Strava is known to send with a status. */
export function knownBody(status: number): unknown {
  switch (status) {
    case 401:
      return ACCESS_TOKEN_INVALID;
    case 403:
      return APPLICATION_INACTIVE;
    case 404:
      return ACTIVITY_NOT_FOUND;
    case 429:
      return RATE_LIMIT_EXCEEDED;
    default:
      return INTERNAL_ERROR;
  }
}

function missingPermission(field: string): StravaError {
  return error("Authorization Error", "AccessToken", field, "missing");
}
