import type { Provider } from 'oidc-provider';
import type { Services } from '../flows/services.ts';
import type { BrowserCookie } from './browser-cookie.ts';
import type { Link } from './pages.ts';
import type { Renderer } from './render.ts';
import type { RouteList } from './route-list.ts';

/** What every route of the pages is given. */
export interface Site {
  readonly services: Services;
  readonly provider: Provider;
  readonly renderer: Renderer;
  readonly cookie: BrowserCookie;
  /** Where every route is entered, with what it asks for. */
  readonly routes: RouteList;
}

/** The people who run this site; null where the operator has named nobody. */
export function contactOf({ services: { settings } }: Site): Link | null {
  return settings.contact === null
    ? null
    : { label: 'Ask the people who run this site', url: settings.contact };
}
