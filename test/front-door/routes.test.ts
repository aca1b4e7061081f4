import test from 'ava';
import type { RouteRecord } from '../../http/route-list.ts';
import { acme, type FrontDoor, frontDoor } from './rig.ts';

interface Layer {
  readonly path: string | RegExp;
  readonly methods: readonly string[];
}

/** The library keeps its router to itself, so it is watched while it makes its routes. */
async function libraryRoutes(): Promise<string[]> {
  const { default: Router } = (await import(
    new URL('../../node_modules/oidc-provider/lib/helpers/router.js', import.meta.url).href
  )) as {
    default: { prototype: Record<string, (name: string, path: string, ...rest: unknown[]) => unknown> };
  };
  const made: string[] = [];
  for (const method of ['get', 'post', 'put', 'delete'] as const) {
    const original = Router.prototype[method];
    if (!original) throw new Error(`the library's router has no ${method}`);
    Router.prototype[method] = function watched(name, path, ...rest) {
      made.push(`${method.toUpperCase()} ${path}`);
      return original.call(this, name, path, ...rest);
    };
  }
  return made;
}

/** Every route of every router of ours: what there really is. */
function ownRoutes(door: FrontDoor): string[] {
  const provider = door.apps[0]?.provider as unknown as {
    readonly middleware: readonly { readonly router?: { readonly stack: readonly Layer[] } }[];
  };
  return (
    provider.middleware
      .flatMap(({ router }) => router?.stack ?? [])
      // What answers every other address below a folder, with any method, says that there is nothing.
      .filter(({ path, methods }) => !(String(path).includes('{*') && methods.length > 20))
      .flatMap(({ path, methods }) =>
        methods
          .filter((method) => method !== 'HEAD')
          .map((method) => `${method} ${String(path).replace(/(?<=.)\/$/, '')}`),
      )
  );
}

const name = ({ method, path }: RouteRecord): string => `${method} ${path}`;

test.serial('every route that answers is in the list, with what it asks for (T013)', async (t) => {
  const ofLibrary = await libraryRoutes();
  const door = await frontDoor(t, 'SQLite', { configuration: acme({}) });
  const list = door.apps[0]?.routes.all ?? [];
  t.true(ofLibrary.length > 10);
  const served = [...ownRoutes(door), ...ofLibrary];
  const listed = list.map(name);
  t.deepEqual(
    served.filter((route) => !listed.includes(route)),
    [],
    'routes that nobody has classified; see http/route-list.ts',
  );
  t.deepEqual(
    listed.filter((route) => !served.includes(route)),
    [],
    'in the list, but not there',
  );
  t.is(new Set(listed).size, listed.length);
  t.true(list.length > 40);
});

test('what changes something is protected against other sites, and what needs a session says whose it is (T109)', async (t) => {
  const door = await frontDoor(t, 'SQLite', { configuration: acme({}) });
  for (const route of door.apps[0]?.routes.all ?? []) {
    const { method, assurance, crossSite, permission } = route;
    if (assurance === 'session' || assurance === 'fresh proof' || assurance === 'interaction') {
      t.is(crossSite, method === 'GET' ? 'reads only' : 'origin and token', name(route));
    }
    if (assurance === 'nobody' && method !== 'GET') t.not(crossSite, 'reads only', name(route));
    t.not(permission, '', name(route));
  }
});

test('nobody reaches a page of the account without a session, or half-way into one (T002)', async (t) => {
  const door = await frontDoor(t, 'SQLite', {
    configuration: acme({}, { ada: { totp: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' } }),
  });
  const halfWay = door.browser();
  await halfWay.authorize();
  await halfWay.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
  t.is(halfWay.heading, 'Two-factor authentication');
  const routes = (door.apps[0]?.routes.all ?? []).filter(
    ({ assurance }) => assurance === 'session' || assurance === 'fresh proof',
  );
  t.true(routes.length > 1);
  for (const browser of [door.browser(), halfWay]) {
    for (const { method, path } of routes) {
      const one = browser.copy();
      const fields = new URLSearchParams({ _csrf: 'anything' });
      await one.open(path.replaceAll(/:\w+/g, 'x'), method === 'GET' ? undefined : { fields });
      t.is(one.heading, 'Sign in', `${method} ${path}`);
      t.false(one.text.includes('ada@'), `${method} ${path}`);
    }
  }
});
