import {
  type ApiClient,
  type ApiClientOutcome,
  type ApiClientWish,
  addApiClient,
  apiClientFrom,
  apiClientsOf,
  changeApiClient,
  clientScopes,
} from '../flows/api-clients.ts';
import { ownApplicationOf, removeApplication, rotateSecret } from '../flows/organization-applications.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { Note } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { type ApiScope, apiResource } from '../policy/api-scopes.ts';
import { may } from '../policy/permissions.ts';
import { askOnceMore, takeAway } from './confirm.ts';
import {
  basePath,
  framedBy,
  inSession,
  lineOf,
  organizationOf,
  textOf,
  textsOf,
  withProof,
} from './visit.ts';

const fields = ['name', 'scopes', 'shown', 'version'] as const;

const scopeWords: Readonly<Record<ApiScope, string>> = {
  'organizations:read': 'Read the organization and its branding',
  'organizations:write': 'Change its name and branding',
  'policy:read': 'Read the policy, and preview a change',
  'policy:write': 'Change the policy, send reminders',
  'members:read': 'Read members and invitations',
  'members:write': 'Invite, change roles, remove',
  'factors:read': 'Read which second factors somebody has',
  'factors:write': 'Reset and remove second factors',
  'sessions:read': 'Read sessions and remembered devices',
  'sessions:write': 'End sessions, disconnect people',
  'applications:read': 'Read applications',
  'applications:write': 'Register, change and remove applications',
  'providers:read': 'Read sign-in providers',
  'providers:write': 'Change sign-in providers',
  'audit:read': 'Read and export the audit log',
  'statistics:read': 'Read the figures of the overview',
  'ssf.read': 'Hear shared signals',
  'ssf.manage': 'Set up streams of shared signals',
};

/** Programs that may use the management API: who, for what, a new secret, and the end of it. */
export function apiAccessRoutes(routes: SignedInRoutes): void {
  const { get, post } = routes;
  get('/:slug/api-access', inSession('api_clients.read'), async (visit) => {
    const { ctx, site } = visit;
    const base = basePath(ctx);
    const there = await organizationOf(visit);
    const clients = await apiClientsOf(site.services, there);
    show(ctx, site.renderer, 'organizations/api-access', {
      ...(await framedBy(visit)),
      add: mayChange(there) ? `${base}/api-access-new` : null,
      document: '/api/openapi.json',
      address: `${apiResource(site.services.settings.issuer)}/organizations/${there.organization.slug}`,
      rows: clients.map(({ clientId, name, scopes, hasSignIn }) => ({
        url: `${base}/api-access/${encodeURIComponent(clientId)}`,
        name,
        clientId,
        apiScopes: scopes,
        hasSignIn,
      })),
    });
  });

  get('/:slug/api-access-new', inSession('api_clients.change'), (visit) =>
    showClient(visit, null, wishOf(visit.held), {}),
  );
  post('/:slug/api-access-new', withProof('api_clients.change', fields), async (visit, form) => {
    const wish = wishOf(form);
    await answer(
      visit,
      null,
      wish,
      await addApiClient(visit.site.services, await organizationOf(visit), wish),
    );
  });

  get('/:slug/api-access/:client', inSession('api_clients.read'), async (visit) => {
    const client = await clientOf(visit);
    const { held } = visit;
    await (held.shown === '1'
      ? showClient(visit, client, wishOf(held), { version: textOf(held.version) })
      : showClient(visit, client, client, {}));
  });
  post('/:slug/api-access/:client', withProof('api_clients.change', fields), async (visit, form) => {
    const client = await clientOf(visit);
    const wish = wishOf(form);
    const version = textOf(form.version);
    await answer(
      visit,
      client,
      wish,
      await changeApiClient(visit.site.services, await organizationOf(visit), client.clientId, wish, version),
      version,
    );
  });

  get('/:slug/api-access/:client/secret', inSession('api_clients.change'), async (visit) => {
    const { name } = await clientOf(visit);
    await askOnceMore(visit, {
      title: { sentence: 'A new secret for {name}?', values: { name } },
      consequences: [
        'The old secret is worth nothing from that moment on: the program gets no token until it has the new one.',
        'The new one is shown once.',
      ],
      button: 'Make a new secret',
      cancel: visit.ctx.path.replace(/\/secret$/, ''),
    });
  });
  post('/:slug/api-access/:client/secret', withProof('api_clients.change'), async (visit) => {
    const client = await clientOf(visit);
    const outcome = await rotateSecret(visit.site.services, await organizationOf(visit), client.clientId);
    if (outcome.kind !== 'saved') throw new RequestError('not_found');
    await showClient(visit, client, client, { secret: outcome.secret });
  });

  takeAway(routes, '/:slug/api-access/:client', {
    action: 'api_clients.change',
    nameOf: async (visit) => (await clientOf(visit)).name,
    consequences: ['Its tokens stop working at once, and so does what relies on it.'],
    remove: async (visit) => {
      const { clientId } = await clientOf(visit);
      return removeApplication(visit.site.services, await organizationOf(visit), clientId);
    },
    done: 'The API client was removed.',
    list: 'api-access',
  });
}

const mayChange = ({ actor }: Awaited<ReturnType<typeof organizationOf>>): boolean =>
  may(actor.role, 'api_clients.change');

/** @throws RequestError not_found, also for what belongs to others and for applications without scopes */
async function clientOf(visit: SignedIn): Promise<ApiClient> {
  const there = await organizationOf(visit);
  const entry = await ownApplicationOf(visit.site.services, there, String(visit.ctx.params.client));
  const client = entry && apiClientFrom(entry);
  if (!client) throw new RequestError('not_found');
  return client;
}

const wishOf = (form: { readonly [field: string]: unknown }): ApiClientWish => ({
  name: lineOf(form.name),
  scopes: textsOf(form.scopes).slice(0, 50),
});

async function answer(
  visit: SignedIn,
  client: ApiClient | null,
  wish: ApiClientWish,
  outcome: ApiClientOutcome,
  version?: string,
): Promise<void> {
  const { ctx, site } = visit;
  switch (outcome.kind) {
    case 'not_found':
      throw new RequestError('not_found');
    case 'invalid':
      return showClient(visit, client, wish, { wrong: outcome.fields, ...(version ? { version } : {}) }, 422);
    case 'conflict':
      return showClient(
        visit,
        client,
        client ?? wish,
        {
          note: {
            tone: 'danger',
            text: 'Somebody else has changed this API client since you opened it. Nothing of yours was saved. This is how it is now.',
          },
        },
        409,
      );
  }
  if (outcome.secret !== null) {
    // Shown in this very answer and nowhere else: after a reload it is gone.
    const entry = await ownApplicationOf(site.services, await organizationOf(visit), outcome.clientId);
    const made = entry && apiClientFrom(entry);
    if (!made) throw new RequestError('not_found');
    return showClient(visit, made, made, { secret: outcome.secret });
  }
  leaveFlash(ctx, site.services.ring, { tone: 'ok', text: 'The API client is saved.' });
  ctx.status = 303;
  ctx.redirect(`${basePath(ctx)}/api-access/${encodeURIComponent(outcome.clientId)}`);
}

async function showClient(
  visit: SignedIn,
  client: ApiClient | null,
  wish: ApiClientWish,
  more: {
    readonly wrong?: readonly ('name' | 'scopes')[];
    readonly secret?: string | null;
    readonly version?: string;
    readonly note?: Note;
  },
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const { issuer } = site.services.settings;
  const base = basePath(ctx);
  const there = await organizationOf(visit);
  const own = client === null ? null : `${base}/api-access/${encodeURIComponent(client.clientId)}`;
  const wrong = (field: 'name' | 'scopes') => more.wrong?.includes(field) === true;
  const isOpen = mayChange(there);
  const isKeyed = client !== null && !client.hasSecret;
  show(
    ctx,
    site.renderer,
    'organizations/api-client',
    {
      ...(await framedBy(visit)),
      clientId: client?.clientId ?? null,
      client: client?.name ?? '',
      action: isOpen ? (own ?? `${base}/api-access-new`) : null,
      version: more.version ?? client?.version ?? '',
      name: wish.name,
      nameError: wrong('name') ? 'Enter a name of at most 200 characters.' : null,
      scopes: clientScopes.map((value) => ({
        value,
        label: scopeWords[value],
        chosen: wish.scopes.includes(value),
      })),
      scopesError: wrong('scopes') ? 'Choose at least one.' : null,
      secret: more.secret ?? null,
      note: more.note ?? null,
      application: client?.hasSignIn ? `${base}/applications/${encodeURIComponent(client.clientId)}` : null,
      rotate: isOpen && own !== null && !isKeyed ? `${own}/secret` : null,
      remove: isOpen && own !== null ? `${own}/remove` : null,
      usage:
        client === null || isKeyed
          ? null
          : [
              `TOKEN=$(curl -s -u "${client.clientId}:SECRET" ${issuer}/token \\`,
              `  -d grant_type=client_credentials -d "scope=${client.scopes.join(' ')}" | jq -r .access_token)`,
              `curl -H "Authorization: Bearer $TOKEN" ${apiResource(issuer)}/organizations/${there.organization.slug}`,
            ].join('\n'),
      cancel: `${base}/api-access`,
    },
    status,
  );
}
