import type { Application } from "./oauth-world.ts";
import { isScope, readScopes, type Scope } from "./scopes.ts";
import { badRequest, clientInvalid, type StravaError } from "./strava-errors.ts";

/** What an application asks for by sending an athlete to the authorize page. */
export type AuthorizeRequest = {
  readonly redirectUri: URL;
  readonly scopes: readonly Scope[];
  /** Given back as it came. */
  readonly state: string;
  /** `auto`: who has allowed all of it before is not asked again. */
  readonly prompt: "auto" | "force";
};

export type AuthorizeRequestReading =
  | { outcome: "read"; request: AuthorizeRequest }
  | { outcome: "refused"; error: StravaError }; // 400, without leading anybody anywhere

export function readAuthorizeRequest(
  fields: Readonly<Record<string, string>>,
  { clientId, callbackDomain }: Application,
): AuthorizeRequestReading {
  if (fields.client_id !== clientId) return { outcome: "refused", error: clientInvalid(400) };
  const redirectUri = URL.parse(fields.redirect_uri ?? "");
  if (redirectUri === null || !mayReturnTo(redirectUri, callbackDomain)) return refused("Application", "redirect_uri");
  if (fields.response_type !== "code") return refused("Authorize", "response_type");
  const { approval_prompt: prompt = "auto", state = "" } = fields;
  if (prompt !== "auto" && prompt !== "force") return refused("Authorize", "approval_prompt");
  const scopes = readScopes(fields.scope ?? "");
  if (scopes.length === 0 || !scopes.every(isScope)) return refused("Authorize", "scope");
  return { outcome: "read", request: { redirectUri, scopes, state, prompt } };
}

/** Within the application's callback domain; the machine's own addresses always. */
function mayReturnTo({ protocol, hostname }: URL, callbackDomain: string | undefined): boolean {
  if (protocol !== "https:" && protocol !== "http:") return false;
  if (callbackDomain === undefined || hostname === "localhost" || hostname === "127.0.0.1") return true;
  return hostname === callbackDomain || hostname.endsWith(`.${callbackDomain}`);
}

function refused(resource: string, field: string): AuthorizeRequestReading {
  return { outcome: "refused", error: badRequest(resource, field, "invalid") };
}
