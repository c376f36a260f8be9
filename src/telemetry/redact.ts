/**
 * The last guard of I10: no token, secret or personal field in a log line or a span. Callers are meant not to pass one;
 * this catches the error text and the field that slipped through.
 */
export const REDACTED = "[redacted]";

const SECRET_KEY = /token|secret|authorization|cookie|password|passphrase|api_?key|first_?name|last_?name|e_?mail/i;
const SECRET_WORD = "(?:token|secret|password|passphrase|api_?key|authorization|first_?name|last_?name)";

/** Each pattern keeps what comes before the secret (group 1), so that a reader sees what kind it was. */
const SECRET_TEXTS: readonly RegExp[] = [
  // Authorization headers, quoted in an error or a dump. "the basic plan" is none: Basic wants what only base64 has.
  /\b(bearer\s+)[\w.~+/=-]{4,}/gi,
  /\b([Bb]asic\s+)(?=\S*(?:[\d=]|[a-z][A-Z]))[\w+/=-]{8,}/g,
  // JSON: "client_secret": "…".
  new RegExp(`(${SECRET_WORD}"\\s*:\\s*")[^"]*`, "gi"),
  // Query strings and forms: access_token=….
  new RegExp(`(${SECRET_WORD}=)[^\\s"&,;)}]+`, "gi"),
  // "token: abc123def", but not "cannot refresh the token: Strava answered 503": a credential has length and a digit.
  new RegExp(`(${SECRET_WORD}:\\s*)(?=[^\\s]*\\d)[^\\s"&,;)}]{8,}`, "gi"),
  // The OAuth code of a callback address: good for a pair of tokens.
  /([?&]code=)[^\s"&]+/gi,
  // The unguessable part of the path at which Strava's events come in.
  /(\/webhooks\/strava\/)[\w-]+/gi,
  // The secret of a webhook of ours, and the addresses of Slack's and Discord's, which are secrets themselves.
  /(\bwhsec_)[\w+/=]+/g,
  /(hooks\.slack\.com\/)[^\s"]+/gi,
  /(discord(?:app)?\.com\/api\/webhooks\/)[^\s"]+/gi,
  // Credentials inside an address: https://user:password@host.
  /(:\/\/)[^\s/@]+(?=@)/g,
  // Strava's tokens and client secret: 40 hex digits. Trace ids have 32, SHA-256 sums 64.
  /(\b)[0-9a-f]{40}\b/gi,
  // E-mail addresses.
  /(\b)[\w.+-]+@[\w-]+\.[\w.-]*\w/g,
];

/** What may be said of a field: its own value with secrets in it cut out, or `[redacted]` when its key names one. */
export function redactField<Value extends string | number | boolean>(key: string, value: Value): Value | string {
  if (SECRET_KEY.test(key)) return typeof value === "boolean" ? value : REDACTED; // `has_token: true` tells nothing
  return typeof value === "string" ? redactText(value) : value;
}

/** The text with everything in it that looks like a credential or an e-mail address replaced by `[redacted]`. */
export function redactText(text: string): string {
  return SECRET_TEXTS.reduce((redacted, pattern) => redacted.replace(pattern, `$1${REDACTED}`), text);
}
