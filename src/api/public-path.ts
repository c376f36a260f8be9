/** The path of the public address, without a slash at its end; empty where it has none, or nobody gave one. */
export const publicPath = (publicUrl: string | undefined): string =>
  publicUrl === undefined ? "" : new URL(publicUrl).pathname.replace(/\/+$/, "");

/**
 * The same request without the path of the public address in front: a proxy may cut it off or pass it on. A path that is
 * one of ours as it stands was cut, or never had it: `/api/admin/syncs` stays what it is, should the public path be `/api`.
 */
export function withoutPublicPath(
  request: Request,
  { base, isOurs }: { base: string; isOurs: (path: string) => boolean },
): Request {
  if (base === "") return request;
  const url = new URL(request.url);
  if (!`${url.pathname}/`.startsWith(`${base}/`) || isOurs(url.pathname)) return request;
  url.pathname = url.pathname.slice(base.length) || "/";
  return new Request(url, request);
}
