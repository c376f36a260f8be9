/** Addresses of this daemon as people and Strava reach it. Nothing is asked of them before the daemon listens. */
export type Links = {
  /** BROOMWAGON_PUBLIC_URL, without a slash at the end; undefined: nobody outside this machine is known to reach it. */
  readonly publicUrl: string | undefined;
  /** Where an athlete connects. */
  connect(): string;
  /** Where whoever holds this invitation connects. */
  invitation(token: string): string;
  /** Where an athlete who is known already connects again: no invitation is asked for. */
  reconnect(): string;
  /** Where Strava sends a browser back to, after its owner has agreed or refused. */
  callback(): string;
  /** A path of the API, for whoever has a token. */
  api(path: string): string;
};

/** @param ownAddress where the daemon listens; asked only where no public address is configured. */
export function createLinks(publicUrl: string | undefined, ownAddress: () => string): Links {
  const base = () => publicUrl ?? ownAddress();
  return {
    publicUrl,
    connect: () => `${base()}/auth/strava`,
    invitation: (token) => `${base()}/auth/strava?invite=${token}`,
    reconnect: () => `${base()}/auth/strava?again`,
    callback: () => `${base()}/auth/strava/callback`,
    api: (path) => `${base()}${path}`,
  };
}
