import * as z from 'zod';
import { upstreamSettings } from '../entities/upstream-providers.ts';
import {
  dropUpstream,
  organizationUpstream,
  organizationUpstreams,
  proveDomains,
  saveUpstream,
  testUpstream,
  type UpstreamEntry,
  type UpstreamSaved,
} from '../flows/organization-upstreams.ts';
import { emailDomain, upstreamSecret, upstreamShape } from '../flows/upstream-entry.ts';
import { RequestError } from '../http/errors.ts';
import { organizationFor } from './caller.ts';
import { operation } from './operation.ts';
import { removal } from './removal.ts';
import { inOrganization, listOf, slug } from './schemas.ts';

const provider = z.object({
  slug,
  name: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  enabled: z.boolean(),
  ...upstreamSettings.shape,
  /** A secret is stored; it is never shown. */
  hasSecret: z.boolean(),
  domains: z.array(
    z.object({
      domain: z.string(),
      isVerified: z.boolean(),
      /** The TXT record that proves it. */
      record: z.object({ name: z.string(), value: z.string() }),
    }),
  ),
  /** What is registered with the provider. */
  addresses: z.object({
    redirect: z.string(),
    signedOut: z.string(),
    backchannelLogout: z.string(),
    keys: z.string().nullable(),
  }),
});

// In the document a domain is text; what it must be is checked as in a configuration file.
const domain = z
  .string()
  .max(191)
  .regex(/^[^\s@]+$/);

const change = z.strictObject({
  ...upstreamShape,
  clientSecret: upstreamSecret.optional(),
  domains: z.array(domain).max(200).optional(),
});
const creation = change.extend({ slug });

const ofProvider = inOrganization.extend({ provider: slug });

function wishOf(name: string, { clientSecret, domains, ...given }: z.output<typeof change>) {
  const read = z.array(emailDomain).safeParse(domains ?? []);
  if (!read.success) {
    throw invalid('domains', read.error.issues[0]?.message ?? '');
  }
  return {
    slug: name,
    change: given,
    secret: clientSecret,
    domains: domains === undefined ? undefined : [...new Set(read.data)],
  };
}

const invalid = (pointer: string, detail: string): RequestError =>
  new RequestError('invalid', { errors: [{ pointer: `#/${pointer}`, detail }] });

function requireSaved(outcome: UpstreamSaved): void {
  if (outcome.kind === 'invalid') throw invalid('', outcome.problem);
  if (outcome.kind !== 'saved') throw new RequestError(outcome.kind);
}

async function shown(entry: Promise<UpstreamEntry | null>): Promise<UpstreamEntry> {
  const found = await entry;
  if (!found) throw new RequestError('not_found');
  return found;
}

export const providerOperations = [
  operation({
    id: 'listProviders',
    verb: 'get',
    path: '/organizations/{organization}/providers',
    tag: 'Sign-in providers',
    summary: 'Other OpenID providers that sign the organization’s people in',
    scope: 'providers:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: listOf(provider),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: { data: await organizationUpstreams(site.services, visit) } };
    },
  }),
  operation({
    id: 'getProvider',
    verb: 'get',
    path: '/organizations/{organization}/providers/{provider}',
    tag: 'Sign-in providers',
    summary: 'One of them',
    scope: 'providers:read',
    fresh: false,
    params: ofProvider,
    query: null,
    body: null,
    status: 200,
    answer: provider,
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: await shown(organizationUpstream(site.services, visit, params.provider)) };
    },
  }),
  operation({
    id: 'createProvider',
    verb: 'post',
    path: '/organizations/{organization}/providers',
    tag: 'Sign-in providers',
    summary: 'Adds a provider; only an owner may, since it speaks for the first factor',
    scope: 'providers:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: creation,
    status: 201,
    answer: provider,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const { slug: name, ...given } = body;
      requireSaved(await saveUpstream(site.services, visit, wishOf(name, given), true));
      return { status: 201, body: await shown(organizationUpstream(site.services, visit, name)) };
    },
  }),
  operation({
    id: 'changeProvider',
    verb: 'patch',
    path: '/organizations/{organization}/providers/{provider}',
    tag: 'Sign-in providers',
    summary: 'Changes what is given; sign-ins that rest on what was taken back end',
    scope: 'providers:write',
    fresh: true,
    params: ofProvider,
    query: null,
    body: change,
    status: 200,
    answer: provider,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      requireSaved(await saveUpstream(site.services, visit, wishOf(params.provider, body), false));
      return { body: await shown(organizationUpstream(site.services, visit, params.provider)) };
    },
  }),
  operation({
    id: 'testProvider',
    verb: 'post',
    path: '/organizations/{organization}/providers/{provider}/test',
    tag: 'Sign-in providers',
    summary: 'Asks the provider what it says of itself, and the DNS about domains that are not proved yet',
    scope: 'providers:write',
    fresh: true,
    params: ofProvider,
    query: null,
    body: null,
    status: 200,
    answer: z.object({
      answers: z.boolean(),
      /** Why not; null where it does. */
      problem: z.string().nullable(),
      provedDomains: z.array(z.string()),
    }),
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const tested = await testUpstream(site.services, visit, params.provider);
      if (tested.kind === 'not_found') throw new RequestError('not_found');
      return {
        body: {
          answers: tested.kind === 'answers',
          problem: tested.kind === 'problem' ? tested.detail : null,
          provedDomains: (await proveDomains(site.services, visit, params.provider)) ?? [],
        },
      };
    },
  }),
  removal({
    id: 'removeProvider',
    path: '/organizations/{organization}/providers/{provider}',
    tag: 'Sign-in providers',
    summary: 'Takes a provider away; sign-ins by it end',
    scope: 'providers:write',
    params: ofProvider,
    remove: async (services, visit, { provider: name }) =>
      (await dropUpstream(services, visit, name)) !== 'not_found',
  }),
];
