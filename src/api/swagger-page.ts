/**
 * `/swagger`: the documentation as a page, served from the program itself. The plugin's own page would load scripts from
 * a public CDN; this one loads nothing from outside, and needs no token.
 */
import stylePath from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import scriptPath from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import type { OpenApiDocument } from "./open-api.ts";

export type SwaggerPage = {
  /** The answer for a path of the documentation; undefined for any other. */
  answer(path: string, request: Request): Promise<Response | undefined>;
};

type Asset = {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
};

/** Addresses are relative, so that the page also works behind a proxy that adds a path. */
const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Broomwagon API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="swagger/ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="swagger/ui.js"></script>
    <script src="swagger/start.js"></script>
  </body>
</html>
`;

/** No validator: the default one is somebody else's server. */
const START = `SwaggerUIBundle({
  url: "swagger/json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
`;

/** Builds each part at its first use, and keeps it: compressed once, revalidated by its hash. */
export function createSwaggerPage(makeDocument: () => Promise<OpenApiDocument>): SwaggerPage {
  const makers: Readonly<Record<string, () => Promise<Asset>>> = {
    "/swagger": () => makeAsset(PAGE, "text/html; charset=utf-8"),
    "/swagger/start.js": () => makeAsset(START, "text/javascript; charset=utf-8"),
    "/swagger/ui.js": async () => makeAsset(await Bun.file(scriptPath).text(), "text/javascript; charset=utf-8"),
    "/swagger/ui.css": async () => makeAsset(await Bun.file(stylePath).text(), "text/css; charset=utf-8"),
    "/swagger/json": async () => makeAsset(JSON.stringify(await makeDocument()), "application/json"),
  };
  const made = new Map<string, Promise<Asset>>();

  return {
    async answer(path, request) {
      if (path === "/swagger/") return new Response(null, { status: 302, headers: { location: "../swagger" } });
      const make = Object.hasOwn(makers, path) ? makers[path] : undefined;
      if (make === undefined) return undefined;
      const asset = made.get(path) ?? make();
      made.set(path, asset);
      return serve(await asset, request);
    },
  };
}

function makeAsset(text: string, type: string): Promise<Asset> {
  const body = new TextEncoder().encode(text);
  const etag = `"${Bun.hash(body).toString(36)}"`;
  return Promise.resolve({ body, zipped: Bun.gzipSync(body), type, etag });
}

function serve(asset: Asset, request: Request): Response {
  const headers = { etag: asset.etag, "cache-control": "no-cache", vary: "accept-encoding" };
  if (request.headers.get("if-none-match") === asset.etag) return new Response(null, { status: 304, headers });
  const takesGzip = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  return new Response(takesGzip ? asset.zipped : asset.body, {
    headers: { ...headers, "content-type": asset.type, ...(takesGzip ? { "content-encoding": "gzip" } : {}) },
  });
}
