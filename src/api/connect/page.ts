import { publicPath } from "../public-path.ts";
import { type Html, html, joined } from "./html.ts";

/** What a person is shown on their way to a connection: what happened, and what to do. */
export type Page = {
  readonly status: number;
  readonly title: string;
  /** `good`: done. `wait`: try again later. `bad`: it ends here, unless they do something. */
  readonly tone: "good" | "wait" | "bad";
  readonly paragraphs: readonly Html[];
  readonly button?: { readonly label: string; readonly href: string } | undefined;
  /** After how many seconds it is worth trying again. */
  readonly retryAfterSeconds?: number | undefined;
};

/** Addresses of the pages, from the top of the host: a proxy may or may not cut the path of the public address off. */
export type PagePaths = { readonly style: string; readonly connect: string; readonly reconnect: string };

/** The paths below that of `publicUrl`. */
export function pagePaths(publicUrl: string | undefined): PagePaths {
  const base = publicPath(publicUrl);
  return {
    style: `${base}/auth/page.css`,
    connect: `${base}/auth/strava`,
    reconnect: `${base}/auth/strava?again`,
  };
}

/** The whole page as an answer: no script, one stylesheet of our own, nothing from outside. */
export function pageResponse({ status, title, tone, paragraphs, button, retryAfterSeconds }: Page, paths: PagePaths) {
  const link = button === undefined ? [] : [html`<p><a class="button" href="${button.href}">${button.label}</a></p>`];
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Broomwagon</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${paths.style}">
</head>
<body>
<header>Broomwagon</header>
<main class="${tone}">
<h1>${title}</h1>
${joined([...paragraphs.map((text) => html`<p>${text}</p>`), ...link])}
</main>
<footer>Powered by Strava</footer>
</body>
</html>
`;
  const headers: Record<string, string> = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" };
  if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
  return new Response(page.html, { status, headers });
}
