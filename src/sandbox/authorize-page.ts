import type { AuthorizeRequest } from "./authorize-request.ts";
import { SCOPE_ALWAYS_GIVEN, SCOPES, type Scope } from "./scopes.ts";
import type { SandboxPerson } from "./token-grants.ts";

/** No script, nothing from outside. No `form-action`: browsers would hold the way back to the application to it. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

type PageFacts = {
  /** Of the request, to be posted again. */
  readonly fields: Readonly<Record<string, string>>;
  readonly people: readonly SandboxPerson[];
  /** Who is signed in already; else the first is proposed. */
  readonly chosen: number | undefined;
};

/** The page that asks an athlete whether an application may see their data: one form, no script. */
export function authorizePage(
  { redirectUri, scopes }: AuthorizeRequest,
  { fields, people, chosen }: PageFacts,
): string {
  const asked = [...new Set(scopes)].filter((scope) => scope !== SCOPE_ALWAYS_GIVEN);
  return wholePage(
    "Authorize an application",
    `<h1>Let <strong>${escapeHtml(redirectUri.host)}</strong> connect to your account?</h1>
<form method="post" action="/oauth/authorize">
${CARRIED.map((name) => hidden(name, fields[name])).join("")}
<label for="athlete">Sign in as</label>
<select id="athlete" name="athlete">${people.map((person) => option(person, chosen)).join("")}</select>
<fieldset><legend>It will be able to</legend>
<label class="scope"><input type="checkbox" checked disabled>${SCOPES[SCOPE_ALWAYS_GIVEN]} <code>read</code></label>
${asked.map(checkbox).join("\n")}
</fieldset>
<div class="buttons"><button name="decision" value="authorize">Authorize</button>
<button name="decision" value="cancel" class="quiet">Cancel</button></div>
</form>`,
  );
}

/** What an athlete sees instead of the way back when the application has as many as it may. */
export function capacityPage(): string {
  return wholePage(
    "Error 403",
    `<h1>Error 403: Limit of connected athletes exceeded</h1>
<p>This application has as many connected athletes as it may. Somebody has to disconnect before another can connect.</p>`,
  );
}

/** What the form posts again as it came. */
const CARRIED = ["client_id", "redirect_uri", "response_type", "approval_prompt", "scope", "state"];

function hidden(name: string, value: string | undefined): string {
  return value === undefined ? "" : `<input type="hidden" name="${name}" value="${escapeHtml(value)}">\n`;
}

function option({ stravaId, firstName, lastName, isConnected }: SandboxPerson, chosen: number | undefined): string {
  const name = `${firstName} ${lastName} (${stravaId})${isConnected ? ", connected" : ""}`;
  return `<option value="${stravaId}"${stravaId === chosen ? " selected" : ""}>${escapeHtml(name)}</option>`;
}

function checkbox(scope: Scope): string {
  const box = `<input type="checkbox" name="granted" value="${scope}" checked>`;
  return `<label class="scope">${box}${escapeHtml(SCOPES[scope])} <code>${scope}</code></label>`;
}

function wholePage(title: string, main: string): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Strava sandbox</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><header>Strava sandbox <span>invented athletes, no real account</span></header>
<main>${main}</main></body></html>
`;
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2126;--quiet:#5b6570;--paper:#fff;--ground:#eef0f3;--line:#8a94a0;--call:#b83a00}
@media (prefers-color-scheme:dark){:root{--ink:#e8ebee;--quiet:#a9b3bd;--paper:#1d2126;--ground:#121519;--line:#6b7580;--call:#c44400}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header{padding:1rem;text-align:center;font-weight:600}
header span{color:var(--quiet);font-weight:400}
main{max-width:32rem;margin:1rem auto;padding:1.5rem;background:var(--paper);border-radius:.5rem}
h1{margin:0 0 1.25rem;font-size:1.25rem;font-weight:400;overflow-wrap:anywhere}
select{display:block;width:100%;margin:.25rem 0 1.25rem;padding:.5rem;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:.25rem}
fieldset{margin:0 0 1.25rem;padding:0;border:0}
legend{padding:0;margin-bottom:.25rem}
.scope{display:block;padding:.35rem 0 .35rem 1.75rem;text-indent:-1.75rem}
.scope input{width:1rem;height:1rem;margin:0 .75rem 0 0;vertical-align:-.1rem}
code{color:var(--quiet);font-size:.8rem}
.buttons{display:flex;gap:.75rem}
button{flex:1;padding:.65rem;font:inherit;font-weight:600;border:1px solid var(--call);border-radius:.25rem;background:var(--call);color:#fff;cursor:pointer}
button.quiet{background:none;color:inherit;border-color:var(--line)}
:focus-visible{outline:3px solid var(--call);outline-offset:2px}
`;

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
