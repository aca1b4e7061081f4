import * as z from 'zod';
import type { upstreamAuthentications } from '../entities/upstream-providers.ts';
import {
  dropUpstream,
  organizationUpstream,
  organizationUpstreams,
  proveDomains,
  saveUpstream,
  testUpstream,
  type UpstreamEntry,
} from '../flows/organization-upstreams.ts';
import { emailDomain, upstreamChange, upstreamSecret } from '../flows/upstream-entry.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { ProviderForm } from '../http/organization-pages.ts';
import type { Note, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { Form, SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { upstreamSecondFactors } from '../policy/upstream.ts';
import { takeAway } from './confirm.ts';
import { basePath, framedBy, inSession, lineOf, organizationOf, textOf, withProof } from './visit.ts';
import { options } from './words.ts';

const fields = [
  'name',
  'slug',
  'issuer',
  'clientId',
  'authentication',
  'secondFactor',
  'acr',
  'amr',
  'domains',
  'createAccounts',
  'button',
  'signOut',
  'enabled',
  'shown',
] as const;

type Values = Readonly<Record<(typeof fields)[number], string>>;

const secondFactorLabels: Readonly<
  Record<(typeof upstreamSecondFactors)[number], readonly [string, string]>
> = {
  trusted: ['Believed where it says so', 'With one of the words below; everybody else is asked here.'],
  required: ['Demanded there', 'Nobody comes in by it without one of the words below.'],
  never: ['Never believed', 'The second factor is always asked here.'],
};

/** Other providers that sign the organization's people in: list, add, change, test, prove domains, remove. */
export function providerRoutes(routes: SignedInRoutes): void {
  const { get, post } = routes;
  get('/:slug/providers', inSession('providers.read'), async (visit) => {
    const { ctx, site } = visit;
    const base = basePath(ctx);
    const entries = await organizationUpstreams(site.services, await organizationOf(visit));
    show(ctx, site.renderer, 'organizations/providers', {
      ...(await framedBy(visit)),
      add: `${base}/providers-new`,
      rows: entries.map((entry) => ({
        url: `${base}/providers/${entry.slug}`,
        name: entry.name,
        issuer: entry.issuer,
        domains: entry.domains.filter(({ isVerified }) => isVerified).map(({ domain }) => domain),
        tag: entry.enabled ? { tone: 'ok', text: 'On' } : { tone: 'plain', text: 'Off' },
      })),
    });
  });

  get('/:slug/providers-new', withProof('providers.change'), (visit) =>
    showForm(visit, null, visit.held.shown === '1' ? valuesOf(visit.held) : valuesFrom(null), null),
  );
  post('/:slug/providers-new', withProof('providers.change', fields), (visit, form) =>
    save(visit, null, form),
  );

  get('/:slug/providers/:provider', withProof('providers.change'), async (visit) => {
    const entry = await entryOf(visit);
    await showForm(visit, entry, visit.held.shown === '1' ? valuesOf(visit.held) : valuesFrom(entry), null);
  });
  post('/:slug/providers/:provider', withProof('providers.change', fields), async (visit, form) =>
    save(visit, await entryOf(visit), form),
  );

  post('/:slug/providers/:provider/test', withProof('providers.change'), async (visit) => {
    const { ctx, site } = visit;
    const slug = String(ctx.params.provider);
    const there = await organizationOf(visit);
    const tested = await testUpstream(site.services, there, slug);
    if (tested.kind === 'not_found') throw new RequestError('not_found');
    const proved = (await proveDomains(site.services, there, slug)) ?? [];
    const entry = await entryOf(visit);
    const note: Note =
      tested.kind === 'answers'
        ? { tone: 'ok', text: 'The provider answers, and what it says of itself is in order.' }
        : {
            tone: 'danger',
            text: { sentence: 'The provider cannot be used: {detail}.', values: { detail: tested.detail } },
          };
    await showForm(visit, entry, valuesFrom(entry), {
      note,
      ...(proved.length > 0 ? { proved } : {}),
    });
  });

  takeAway(routes, '/:slug/providers/:provider', {
    action: 'providers.change',
    nameOf: async (visit) => (await entryOf(visit)).name,
    consequences: [
      'Nobody can sign in by it any more, and sign-ins by it end now.',
      'Accounts stay. Whoever has no password sets one by mail.',
    ],
    remove: async (visit) =>
      dropUpstream(visit.site.services, await organizationOf(visit), String(visit.ctx.params.provider)),
    done: 'The provider was removed.',
    list: 'providers',
  });
}

/** @throws RequestError not_found */
async function entryOf(visit: SignedIn): Promise<UpstreamEntry> {
  const entry = await organizationUpstream(
    visit.site.services,
    await organizationOf(visit),
    String(visit.ctx.params.provider),
  );
  if (!entry) throw new RequestError('not_found');
  return entry;
}

const valuesOf = (form: { readonly [field: string]: unknown }): Values =>
  Object.fromEntries(fields.map((name) => [name, textOf(form[name]).slice(0, 10_000)])) as Values;

const flag = (value: boolean): string => (value ? '1' : '');

const valuesFrom = (entry: UpstreamEntry | null): Values => ({
  shown: '1',
  slug: entry?.slug ?? '',
  name: entry?.name ?? '',
  issuer: entry?.issuer ?? '',
  clientId: entry?.clientId ?? '',
  authentication: entry?.authentication ?? 'client_secret_basic',
  secondFactor: entry?.secondFactor ?? 'trusted',
  acr: entry?.trusted.acr.join(' ') ?? '',
  amr: entry?.trusted.amr.join(' ') ?? '',
  domains: entry?.domains.map(({ domain }) => domain).join('\n') ?? '',
  createAccounts: flag(entry?.createAccounts ?? false),
  button: flag(entry?.button ?? true),
  signOut: flag(entry?.signOut ?? false),
  enabled: flag(entry?.enabled ?? true),
});

const wordsIn = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter((word) => word !== ''))];

const unreadable = 'This cannot be used. Look at what stands below the field.';

const fieldProblems: { readonly [field: string]: Sentence } = {
  name: 'Enter a name of at most 60 characters.',
  slug: 'Enter 1 to 63 small letters, digits and inner hyphens.',
  issuer: 'Enter the issuer as the provider writes it: an https address without query or fragment.',
  clientId: 'Enter the client ID that the provider gave you, without blanks.',
  clientSecret: 'Enter the secret as the provider shows it: at most 1024 plain characters.',
  acr: 'Enter at most 30 words, with spaces between them.',
  amr: 'Enter at most 30 words, with spaces between them.',
  domains: 'Enter one domain on each line, such as acme.example.',
};

/** What the parts lack together, beside the field that would mend it. */
function problemOf(said: string): Readonly<Record<string, Sentence>> {
  const [name = ''] = said.split(' ');
  return name === 'secondFactor'
    ? { acr: 'Enter at least one word that you trust, here or as amr: without one nobody could come in.' }
    : { [name]: fieldProblems[name] ?? unreadable };
}

const slugOf = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);

async function save(visit: SignedIn, entry: UpstreamEntry | null, form: Form): Promise<void> {
  const { ctx, site } = visit;
  const values = valuesOf(form);
  const secretText = textOf(form.clientSecret);
  const slug = entry?.slug ?? values.slug.trim();
  const change = upstreamChange.safeParse({
    name: lineOf(values.name),
    issuer: values.issuer.trim(),
    clientId: values.clientId.trim(),
    authentication: values.authentication,
    secondFactor: values.secondFactor,
    trusted: { acr: wordsIn(values.acr), amr: wordsIn(values.amr) },
    createAccounts: values.createAccounts === '1',
    button: values.button === '1',
    signOut: values.signOut === '1',
    enabled: values.enabled === '1',
  });
  const domains = z.array(emailDomain).max(200).safeParse(wordsIn(values.domains));
  const secret = secretText === '' ? null : upstreamSecret.safeParse(secretText);
  const wrong = new Set([
    ...(change.error?.issues ?? []).map(({ path }) => String(path.at(path[0] === 'trusted' ? 1 : 0))),
    ...(domains.success ? [] : ['domains']),
    ...(secret && !secret.success ? ['clientSecret'] : []),
    ...(slugOf.safeParse(slug).success ? [] : ['slug']),
  ]);
  const problems = Object.fromEntries([...wrong].map((name) => [name, fieldProblems[name] ?? unreadable]));
  if (!change.success || !domains.success || wrong.size > 0) {
    return showForm(visit, entry, values, { problems }, 422);
  }
  const there = await organizationOf(visit);
  const outcome = await saveUpstream(
    site.services,
    there,
    {
      slug,
      change: change.data,
      secret: secret?.success ? secret.data : undefined,
      domains: [...new Set(domains.data)],
    },
    entry === null,
  );
  switch (outcome.kind) {
    case 'not_found':
      throw new RequestError('not_found');
    case 'conflict':
      return showForm(
        visit,
        entry,
        values,
        entry === null
          ? { problems: { slug: 'Another provider of yours has this short name.' } }
          : {
              note: {
                tone: 'danger',
                text: 'Somebody else was changing the same. Nothing of yours was saved; look at it again.',
              },
            },
        409,
      );
    case 'invalid':
      return showForm(visit, entry, values, { problems: problemOf(outcome.problem) }, 422);
    case 'saved':
      leaveFlash(ctx, site.services.ring, { tone: 'ok', text: 'The provider is saved.' });
      ctx.status = 303;
      ctx.redirect(`${basePath(ctx)}/providers/${slug}`);
  }
}

async function showForm(
  visit: SignedIn,
  entry: UpstreamEntry | null,
  values: Values,
  more: {
    readonly problems?: Readonly<Record<string, Sentence>>;
    readonly note?: Note;
    readonly proved?: readonly string[];
  } | null,
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const base = basePath(ctx);
  const own = entry === null ? null : `${base}/providers/${entry.slug}`;
  const errorFor = (name: string): Sentence | null => more?.problems?.[name] ?? null;
  const form: ProviderForm = {
    ...values,
    authentication: options(
      [
        ['client_secret_basic', 'Secret, in a header', 'What most providers expect.'],
        ['client_secret_post', 'Secret, in the body', 'As a field of the form.'],
        ['private_key_jwt', 'Key', 'Nothing secret is exchanged: the provider reads our public key.'],
      ] satisfies readonly (readonly [(typeof upstreamAuthentications)[number], string, string])[],
      values.authentication,
    ),
    secondFactor: options(
      upstreamSecondFactors.map((value) => [value, ...secondFactorLabels[value]] as const),
      values.secondFactor,
    ),
    createAccounts: values.createAccounts === '1',
    button: values.button === '1',
    signOut: values.signOut === '1',
    enabled: values.enabled === '1',
    hasSecret: entry?.hasSecret ?? false,
    errors: {
      name: errorFor('name'),
      slug: errorFor('slug'),
      issuer: errorFor('issuer'),
      clientId: errorFor('clientId'),
      clientSecret: errorFor('clientSecret'),
      acr: errorFor('acr'),
      amr: errorFor('amr'),
      domains: errorFor('domains'),
    },
  };
  show(
    ctx,
    site.renderer,
    'organizations/provider',
    {
      ...(await framedBy(visit)),
      name: entry?.name ?? null,
      action: own ?? `${base}/providers-new`,
      form,
      note: more?.note ?? null,
      proved: more?.proved ?? [],
      waiting: entry?.domains.filter(({ isVerified }) => !isVerified) ?? [],
      verified: entry?.domains.filter(({ isVerified }) => isVerified).map(({ domain }) => domain) ?? [],
      settings:
        entry === null
          ? []
          : [
              { label: 'Redirect address', value: entry.addresses.redirect },
              { label: 'Address after sign-out', value: entry.addresses.signedOut },
              { label: 'Back-channel logout address', value: entry.addresses.backchannelLogout },
              ...(entry.addresses.keys ? [{ label: 'Key set address', value: entry.addresses.keys }] : []),
            ],
      test: own === null ? null : `${own}/test`,
      remove: own === null ? null : `${own}/remove`,
      cancel: `${base}/providers`,
    },
    status,
  );
}
