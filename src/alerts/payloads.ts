import { type AlertContent, asPlainText } from "./content.ts";

/** What each kind of receiver takes, as JSON. */

const EVENT_TYPES = {
  alert: "alert.opened",
  reminder: "alert.reminded",
  recovery: "alert.closed",
  test: "alert.test",
} as const;

/** For a webhook of anybody's: the same bytes at every try. */
export function webhookBody(content: AlertContent): string {
  const { kind, createdAtMs, rule, subject, title, text, action, url } = content;
  return JSON.stringify({
    type: EVENT_TYPES[kind],
    timestamp: createdAtMs,
    data: {
      rule,
      subject,
      title,
      text,
      action,
      url,
      trace_id: content.traceId,
      trace_url: content.traceUrl,
      occurrences: content.occurrences,
      opened_at: content.openedAtMs,
      closed_at: content.closedAtMs,
    },
  });
}

/** 1 (least) to 5, by which phones decide whether to ring. */
const NTFY_PRIORITIES = { alert: 4, reminder: 3, recovery: 2, test: 3 } as const;
const NTFY_TAGS = {
  alert: "rotating_light",
  reminder: "hourglass",
  recovery: "white_check_mark",
  test: "wave",
} as const;

/**
 * ntfy takes JSON at the root of the server, the topic within.
 * @see https://docs.ntfy.sh/publish/#publish-as-json
 */
export function ntfyRequest(content: AlertContent, topicUrl: string): { url: string; body: string } {
  const url = new URL(topicUrl);
  const topic = decodeURIComponent(url.pathname.split("/").filter(Boolean).at(-1) ?? "");
  const { kind, title, url: click } = content;
  const body = {
    topic,
    title,
    message: asPlainText(content),
    priority: NTFY_PRIORITIES[kind],
    tags: [NTFY_TAGS[kind]],
    ...(click === null ? {} : { click }),
  };
  return { url: `${url.origin}/`, body: JSON.stringify(body) };
}

/** @see https://docs.slack.dev/messaging/formatting-message-text three characters are Slack's own */
export function slackBody(content: AlertContent): string {
  const plain = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return JSON.stringify({ text: `*${plain(content.title)}*\n${plain(asPlainText(content))}`, unfurl_links: false });
}

/** Discord refuses longer ones. @see https://docs.discord.com/developers/resources/webhook#execute-webhook */
const DISCORD_LONGEST = 2_000;

export function discordBody(content: AlertContent): string {
  const whole = `**${content.title}**\n${asPlainText(content)}`;
  const cut = whole.length > DISCORD_LONGEST ? `${whole.slice(0, DISCORD_LONGEST - 1)}…` : whole;
  // Nothing that stands in a message calls anybody.
  return JSON.stringify({ content: cut, allowed_mentions: { parse: [] } });
}
