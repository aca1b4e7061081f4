import { isSignedInTo } from '../flows/api-clients.ts';
import {
  type ApplicationEntry,
  type ApplicationOutcome,
  type ApplicationProblem,
  type ApplicationWish,
  addApplication,
  applicationKinds,
  applicationProblems,
  changeApplication,
  kindOf,
  organizationApplications,
  ownApplicationOf,
  removeApplication,
  rotateSecret,
} from '../flows/organization-applications.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import { languageOf } from '../http/language.ts';
import type { ApplicationForm } from '../http/organization-pages.ts';
import type { Note, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { applicationAssurances } from '../policy/types.ts';
import { testSignInUrl } from '../provider/test-sign-in.ts';
import { askOnceMore, takeAway } from './confirm.ts';
import { recipesFor } from './recipes.ts';
import { basePath, framedBy, inSession, lineOf, organizationOf, textOf, withProof } from './visit.ts';
import { options } from './words.ts';

const fields = [
  'name',
  'kind',
  'redirectUris',
  'logoutUris',
  'assurance',
  'firstParty',
  'shown',
  'version',
] as const;

const assuranceLabels: Readonly<Record<(typeof applicationAssurances)[number], readonly [string, string]>> = {
  none: ['Nothing more', 'What the organization asks for is enough.'],
  second_factor: ['A second factor', 'In this session, however long ago; a remembered device is not enough.'],
  fresh_second_factor: ['A fresh second factor', 'At every sign-in to this application.'],
  passkey: ['A passkey', 'With fingerprint, face or PIN.'],
};

/** Relying parties of the organization: register, change, renew the secret, try, and what to copy. */
export function applicationRoutes(routes: SignedInRoutes): void {
  const { get, post } = routes;
  get('/:slug/applications', inSession('applications.read'), async (visit) => {
    const { ctx, site } = visit;
    const base = basePath(ctx);
    const entries = await organizationApplications(site.services, await organizationOf(visit));
    show(ctx, site.renderer, 'organizations/applications', {
      ...(await framedBy(visit)),
      add: `${base}/applications-new`,
      rows: entries.filter(isSignedInTo).map((entry) => ({
        url: `${base}/applications/${encodeURIComponent(entry.clientId)}`,
        name: entry.name,
        clientId: entry.clientId,
        assurance: assuranceLabels[entry.assurance][0],
        isShared: entry.isShared,
      })),
    });
  });

  get('/:slug/applications-new', inSession('applications.change'), (visit) =>
    showForm(
      visit,
      null,
      wishOf(visit.held.shown === '1' ? visit.held : { kind: 'confidential', assurance: 'none' }),
      {},
    ),
  );
  post('/:slug/applications-new', withProof('applications.change', fields), async (visit, form) => {
    const there = await organizationOf(visit);
    const wish = wishOf(form);
    const outcome = await addApplication(visit.site.services, there, wish);
    await answer(visit, null, wish, outcome);
  });

  /** What is typed, looked at before it is saved, by the very same rules. */
  post('/:slug/applications-check', inSession('applications.change'), async ({ ctx, site }, form) => {
    const problems = applicationProblems(wishOf(form));
    const t = site.renderer.translator(languageOf(ctx));
    const said = (field: ApplicationProblem['field'], typed: unknown) => {
      const sentence = textOf(typed).trim() === '' ? null : firstProblem(problems, field);
      return sentence === null ? null : t(sentence);
    };
    ctx.body = {
      redirectUris: said('redirectUris', form.redirectUris),
      logoutUris: said('postLogoutRedirectUris', form.logoutUris),
    };
  });

  get('/:slug/applications/:client', inSession('applications.read'), async (visit) => {
    const entry = await entryOf(visit);
    if (!isSignedInTo(entry)) {
      visit.ctx.status = 303;
      return visit.ctx.redirect(`${basePath(visit.ctx)}/api-access/${encodeURIComponent(entry.clientId)}`);
    }
    const { held } = visit;
    await (held.shown === '1'
      ? showForm(visit, entry, wishOf(held), { version: textOf(held.version) })
      : showForm(visit, entry, wishFrom(entry), {}));
  });
  post('/:slug/applications/:client', withProof('applications.change', fields), async (visit, form) => {
    const there = await organizationOf(visit);
    const clientId = String(visit.ctx.params.client);
    const wish = wishOf(form);
    await answer(
      visit,
      await entryOf(visit),
      wish,
      await changeApplication(visit.site.services, there, clientId, wish, textOf(form.version)),
      textOf(form.version),
    );
  });

  get('/:slug/applications/:client/secret', inSession('applications.change'), async (visit) => {
    const entry = await entryOf(visit);
    await askOnceMore(visit, {
      title: { sentence: 'A new secret for {name}?', values: { name: entry.name } },
      consequences: [
        'The old secret is worth nothing from that moment on, and sign-ins to the application fail until it has the new one.',
        'The new one is shown once.',
      ],
      button: 'Make a new secret',
      cancel: visit.ctx.path.replace(/\/secret$/, ''),
    });
  });
  post('/:slug/applications/:client/secret', withProof('applications.change'), async (visit) => {
    const there = await organizationOf(visit);
    const outcome = await rotateSecret(visit.site.services, there, String(visit.ctx.params.client));
    const entry = await entryOf(visit);
    await answer(visit, entry, wishFrom(entry), outcome);
  });

  /** A sign-in as the application would ask for it, whose answer is shown instead of sent there. */
  get('/:slug/applications/:client/test', inSession('applications.read'), async (visit) => {
    const { ctx, site } = visit;
    const entry = await entryOf(visit);
    if (!isTestable(entry)) throw new RequestError('not_found');
    const { organization } = await organizationOf(visit);
    ctx.status = 303;
    ctx.redirect(
      testSignInUrl(site.services, {
        clientId: entry.clientId,
        slug: organization.slug,
        allowed: entry.metadata.scope,
      }),
    );
  });

  takeAway(routes, '/:slug/applications/:client', {
    action: 'applications.change',
    nameOf: async (visit) => (await entryOf(visit)).name,
    consequences: ['Nobody can sign in to it any more, and its tokens stop working.'],
    remove: async (visit) =>
      removeApplication(visit.site.services, await organizationOf(visit), String(visit.ctx.params.client)),
    done: 'The application was removed.',
    list: 'applications',
  });
}

/** @throws RequestError not_found, also for what belongs to the instance or to another organization */
async function entryOf(visit: SignedIn): Promise<ApplicationEntry> {
  const there = await organizationOf(visit);
  const entry = await ownApplicationOf(visit.site.services, there, String(visit.ctx.params.client));
  if (!entry) throw new RequestError('not_found');
  return entry;
}

/** One address a line; several on one line where each is one. What is none stays as it was typed, to be told. */
const linesOf = (value: unknown): string[] =>
  textOf(value)
    .split('\n')
    .flatMap((line) => {
      const words = line.trim().split(/\s+/);
      return words.every((word) => URL.canParse(word)) ? words : [words.join(' ')];
    })
    .filter((line) => line !== '')
    .slice(0, 200);

const wishOf = (form: { readonly [field: string]: unknown }): ApplicationWish => ({
  name: lineOf(form.name),
  kind: applicationKinds.find((known) => known === form.kind) ?? 'confidential',
  redirectUris: linesOf(form.redirectUris),
  postLogoutRedirectUris: linesOf(form.logoutUris),
  assurance: applicationAssurances.find((known) => known === form.assurance) ?? 'none',
  isFirstParty: form.firstParty === '1',
});

const textsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

const wishFrom = ({ name, metadata, assurance, isFirstParty }: ApplicationEntry): ApplicationWish => ({
  name,
  kind: kindOf(metadata),
  redirectUris: textsIn(metadata.redirect_uris),
  postLogoutRedirectUris: textsIn(metadata.post_logout_redirect_uris),
  assurance,
  isFirstParty,
});

async function answer(
  visit: SignedIn,
  entry: ApplicationEntry | null,
  wish: ApplicationWish,
  outcome: ApplicationOutcome,
  version?: string,
): Promise<void> {
  const { ctx, site } = visit;
  if (outcome.kind === 'not_found') throw new RequestError('not_found');
  if (outcome.kind === 'invalid') {
    return showForm(visit, entry, wish, { problems: outcome.problems, ...(version ? { version } : {}) }, 422);
  }
  if (outcome.kind === 'conflict') {
    const note = {
      tone: 'danger',
      text: 'Somebody else has changed this application since you opened it. Nothing of yours was saved. This is how it is now.',
    } as const;
    return showForm(visit, entry, entry ? wishFrom(entry) : wish, { note }, 409);
  }
  if (outcome.secret !== null) {
    // Shown in this very answer and nowhere else: after a reload it is gone.
    const there = await organizationOf(visit);
    const saved = await ownApplicationOf(site.services, there, outcome.clientId);
    if (!saved) throw new RequestError('not_found');
    return showForm(visit, saved, wishFrom(saved), { secret: outcome.secret });
  }
  leaveFlash(ctx, site.services.ring, { tone: 'ok', text: 'The application is saved.' });
  ctx.status = 303;
  ctx.redirect(`${basePath(ctx)}/applications/${encodeURIComponent(outcome.clientId)}`);
}

async function showForm(
  visit: SignedIn,
  entry: ApplicationEntry | null,
  wish: ApplicationWish,
  more: {
    readonly problems?: readonly ApplicationProblem[];
    readonly secret?: string;
    readonly note?: Note;
    /** Of what was seen when the form was opened, where that is longer ago. */
    readonly version?: string;
  },
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const base = basePath(ctx);
  const { issuer } = site.services.settings;
  const own = entry === null ? null : `${base}/applications/${encodeURIComponent(entry.clientId)}`;
  const errorFor = (field: ApplicationProblem['field']) => firstProblem(more.problems ?? [], field);
  const form: ApplicationForm = {
    name: wish.name,
    redirectUris: wish.redirectUris.join('\n'),
    logoutUris: wish.postLogoutRedirectUris.join('\n'),
    kind: options(
      [
        ['confidential', 'On a server', 'It can keep a secret, and sends it in a header. Most programs do.'],
        [
          'confidential_post',
          'On a server, secret in the form',
          'For programs that send client_secret in the request itself, such as WordPress and Nextcloud.',
        ],
        ['public', 'In a browser or on a device', 'It cannot keep a secret, and uses PKCE alone.'],
      ],
      wish.kind,
    ),
    assurance: options(
      applicationAssurances.map((value) => [value, ...assuranceLabels[value]] as const),
      wish.assurance,
    ),
    isFirstParty: wish.isFirstParty,
    errors: {
      name: errorFor('name'),
      redirectUris: errorFor('redirectUris'),
      logoutUris: errorFor('postLogoutRedirectUris'),
    },
  };
  show(
    ctx,
    site.renderer,
    'organizations/application',
    {
      ...(await framedBy(visit)),
      clientId: entry?.clientId ?? null,
      name: entry?.name ?? '',
      action: own ?? `${base}/applications-new`,
      check: `${base}/applications-check`,
      version: more.version ?? entry?.version ?? '',
      note: more.note ?? null,
      form,
      secret: more.secret ?? null,
      rotate: entry?.hasSecret ? `${own}/secret` : null,
      remove: own === null ? null : `${own}/remove`,
      test: entry !== null && isTestable(entry) ? `${own}/test` : null,
      settings: entry === null ? [] : settingsOf(issuer, entry),
      recipes: entry === null ? [] : recipesFor(issuer, entry.clientId),
      cancel: `${base}/applications`,
    },
    status,
  );
}

/** What is wrong with a field, in words; one thing at a time. */
function firstProblem(
  problems: readonly ApplicationProblem[],
  field: ApplicationProblem['field'],
): Sentence | null {
  const found = problems.find((problem) => problem.field === field);
  if (!found) return null;
  const { message, address } = found;
  if (field === 'name') return message;
  if (message.startsWith('is missing')) return 'An address is missing: enter at least one.';
  const sentence = addressSentences[message];
  return sentence !== undefined && address !== null
    ? { sentence, values: { address } }
    : { sentence: '{problem}', values: { problem: address === null ? message : `${address}: ${message}` } };
}

/** The rules of flows/client-metadata.ts, as people are told them. */
const addressSentences: { readonly [message: string]: string } = {
  'must be an absolute address':
    '“{address}” must be an absolute address, such as https://app.example.com/callback.',
  'must have no fragment (#)': '“{address}” must have no fragment (#).',
  'must not use this scheme': '“{address}” must not use this scheme.',
  'must not contain a user name or password': '“{address}” must not contain a user name or password.',
};

/** What cannot be begun by a plain link, or has no code, cannot be tried from here. */
function isTestable({ metadata }: ApplicationEntry): boolean {
  const types = textsIn(metadata.response_types ?? ['code']);
  return (
    types.includes('code') &&
    metadata.require_pushed_authorization_requests !== true &&
    metadata.require_signed_request_object !== true &&
    metadata.dpop_bound_access_tokens !== true
  );
}

const settingsOf = (issuer: string, { clientId }: ApplicationEntry) => [
  { label: 'Client ID', value: clientId },
  { label: 'Issuer', value: issuer },
  { label: 'Discovery document', value: `${issuer}/.well-known/openid-configuration` },
  { label: 'Authorization endpoint', value: `${issuer}/auth` },
  { label: 'Token endpoint', value: `${issuer}/token` },
  { label: 'Userinfo endpoint', value: `${issuer}/me` },
  { label: 'Key set address', value: `${issuer}/jwks` },
  { label: 'Sign-out endpoint', value: `${issuer}/session/end` },
  { label: 'Scopes', value: 'openid email profile' },
];
