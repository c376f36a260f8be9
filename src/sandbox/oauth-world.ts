import type { AuthorizationCodes } from "./authorization-codes.ts";
import type { Capacity } from "./capacity.ts";
import type { TokenGrants } from "./token-grants.ts";

/** The application as it is registered with Strava. */
export type Application = {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly wrongClientStatus: 400 | 401;
  /** Where athletes may be led back to, beside localhost and 127.0.0.1; anywhere when undefined. */
  readonly callbackDomain: string | undefined;
};

/** What OAuth answers are made of. */
export type OAuthWorld = {
  readonly application: Application;
  readonly grants: TokenGrants;
  readonly codes: AuthorizationCodes;
  readonly capacity: Capacity;
  readonly nowMs: number;
};
