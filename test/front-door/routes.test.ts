import test from 'ava';
import { operations } from '../../api/operations.ts';
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
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration: acme({}) });
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
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration: acme({}) });
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
    replicas: 1,
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

/** What each form of an organization's pages is in the management API; null where that is only for people. */
const inApi: Readonly<Record<string, string | null>> = {
  'POST /organizations/:slug/applications-new': 'createApplication',
  'POST /organizations/:slug/applications-check': null,
  'POST /organizations/:slug/applications/:client': 'changeApplication',
  'POST /organizations/:slug/applications/:client/secret': 'rotateApplicationSecret',
  'POST /organizations/:slug/applications/:client/remove': 'removeApplication',
  // No key makes or changes a key.
  'POST /organizations/:slug/api-access-new': null,
  'POST /organizations/:slug/api-access/:client': null,
  'POST /organizations/:slug/api-access/:client/secret': null,
  'POST /organizations/:slug/api-access/:client/remove': null,
  'POST /organizations/:slug/branding': 'changeBranding',
  'POST /organizations/:slug/members-invite': 'invite',
  'POST /organizations/:slug/members-invite/:id/revoke': 'revokeInvitation',
  'POST /organizations/:slug/members-import': 'importMembers',
  'POST /organizations/:slug/members/:id/reset': 'resetTwoFactor',
  'POST /organizations/:slug/members/:id/disconnect': 'disconnect',
  'POST /organizations/:slug/members/:id/role': 'changeMemberRole',
  'POST /organizations/:slug/members/:id/remove': 'removeMember',
  'POST /organizations/:slug/passkeys': 'changePolicy',
  'POST /organizations/:slug/two-factor': 'changePolicy',
  'POST /organizations/:slug/two-factor/remind': 'remindMembers',
  'POST /organizations/:slug/two-factor/preview': 'previewPolicy',
  'POST /organizations/:slug/providers-new': 'createProvider',
  'POST /organizations/:slug/providers/:provider': 'changeProvider',
  'POST /organizations/:slug/providers/:provider/test': 'testProvider',
  'POST /organizations/:slug/providers/:provider/remove': 'removeProvider',
};

test('what the pages of an organization do, the API can do', async (t) => {
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration: acme({}) });
  const forms = (door.apps[0]?.routes.all ?? [])
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/organizations/'))
    .map(name);
  t.deepEqual(
    forms.filter((form) => !Object.hasOwn(inApi, form)),
    [],
    'forms that nobody has looked for in the API; see docs/api.md',
  );
  const known: readonly string[] = operations.map(({ id }) => id);
  for (const [form, id] of Object.entries(inApi)) {
    t.true(forms.includes(form), `${form} is gone`);
    if (id !== null) t.true(known.includes(id), id);
  }
});
