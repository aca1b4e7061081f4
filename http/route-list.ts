/** What must have been proved before a route does anything. */
export type RouteAssurance =
  /** Anybody may come; what the route does is safe for that, or checks something of its own. */
  | 'nobody'
  /** The browser that began the interaction; what it has proved is judged by the policy at every step. */
  | 'interaction'
  /** A session that satisfies every policy at this moment. */
  | 'session'
  /** The same, and a factor in this very session. */
  | 'second factor'
  /** The same, and a factor (the password, for people without one) within the last ten minutes. */
  | 'fresh proof'
  /** What oidc-provider checks: the client, a code, a token. */
  | 'protocol'
  /** A bearer token with the scopes that `permission` names. */
  | 'access token';

/** Why a page of somebody else cannot make a browser do this. */
export type CrossSiteProtection =
  /** Nothing is changed. */
  | 'reads only'
  /** `Origin` of the issuer and a token that is bound to the session or interaction. */
  | 'origin and token'
  /** `Origin` of the issuer. */
  | 'origin'
  /** No cookie takes part. */
  | 'no cookie';

export interface RouteRecord {
  readonly method: string;
  /** As the router knows it: `/account/factors/:id/remove`. */
  readonly path: string;
  readonly assurance: RouteAssurance;
  /** Whose it is or who may, in words. */
  readonly permission: string;
  readonly crossSite: CrossSiteProtection;
}

export interface RouteList {
  readonly all: readonly RouteRecord[];
  add(record: RouteRecord): void;
}

/** Every route with what it asks for, filled by those who make the routes: what a security review, and a test, goes through. */
export function createRouteList(): RouteList {
  const all: RouteRecord[] = [];
  return {
    all,
    add: (record) => {
      all.push(record);
    },
  };
}

/** A page that shows the same to everybody. */
export const openToAll = (path: string): RouteRecord => ({
  method: 'GET',
  path,
  assurance: 'nobody',
  permission: 'everybody',
  crossSite: 'reads only',
});
