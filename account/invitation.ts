import type Router from '@koa/router';
import { findInvitation, joinByInvitation, registerByInvitation } from '../flows/invitations.ts';
import { linkEnded } from '../http/errors.ts';
import { type OpenVisit, openRoutes } from '../http/open-pages.ts';
import type { Sentence } from '../http/pages.ts';
import { passwordWords } from '../http/password-words.ts';
import { brandOf, show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import type { Site } from '../http/site.ts';
import { done } from './factors.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

const invited = 'whoever has the link of the mail, once';

/** What a mailed invitation leads to: an account for whoever has none here. It signs nobody in. */
export function invitationRoutes(site: Site): Router {
  const { router, get, post } = openRoutes(site);

  get('/invitation/:secret', invited, async (visit) => page(visit, await invitationOf(visit), null, ''));

  post('/invitation/:secret', invited, async (visit, form) => {
    const invitation = await invitationOf(visit);
    const name = typeof form.name === 'string' ? form.name : '';
    const password = typeof form.password === 'string' ? form.password : '';
    if (invitation.hasAccount) {
      return page(visit, invitation, null, '');
    }
    const outcome = await registerByInvitation(site.services, {
      invitation,
      name,
      password,
      locale: visit.shared.lang,
      origin: visit.origin,
    });
    switch (outcome.kind) {
      case 'done':
        return registered(visit, invitation.organization);
      case 'refused':
        return page(visit, invitation, passwordWords[outcome.problem], name);
      case 'ended':
        throw linkEnded({ label: 'Your account', url: '/account' });
    }
  });
  return router;
}

/** Joining with the account that one has. */
export function joinRoutes({ get, post }: SignedInRoutes): void {
  get('/invitation/:secret', own, async (visit) => {
    const invitation = await invitationOf(visit);
    const { ctx, site, assessment } = visit;
    if (assessment.user.email !== invitation.email) {
      const text: Sentence = {
        sentence: 'This invitation is for {email}. Sign out, and open the link of the mail again to use it.',
        values: { email: invitation.email },
      };
      return done(visit, text, 'warn');
    }
    show(ctx, site.renderer, 'confirm', {
      ...framed(visit, section),
      title: { sentence: 'Join {organization}?', values: { organization: invitation.organization.name } },
      consequences: [
        'Its owners and admins see your name, your address and whether you use two-factor authentication.',
        'Its rules for signing in hold for you from then on.',
      ],
      action: ctx.path,
      hidden: [],
      button: 'Join',
      tone: 'primary',
      password: false,
      passwordError: null,
      cancel: '/account',
    });
  });

  post('/invitation/:secret', own, async (visit) => {
    const invitation = await invitationOf(visit);
    const { site, actor } = visit;
    if (!(await joinByInvitation(site.services, { actor, invitation }))) {
      throw linkEnded({ label: 'Your account', url: '/account' });
    }
    done(visit, {
      sentence: 'You belong to {organization} now.',
      values: { organization: invitation.organization.name },
    });
  });
}

/** @throws RequestError link_ended */
async function invitationOf({ ctx, site }: Pick<OpenVisit | SignedIn, 'ctx' | 'site'>) {
  const invitation = await findInvitation(site.services, ctx.params.secret);
  if (!invitation) {
    throw linkEnded({ label: 'Your account', url: '/account' });
  }
  return invitation;
}

function page(
  { ctx, site, shared }: OpenVisit,
  invitation: Awaited<ReturnType<typeof invitationOf>>,
  error: Sentence | null,
  typed: string,
): void {
  show(
    ctx,
    site.renderer,
    'invitation',
    {
      ...shared,
      brand: brandOf(invitation.organization.name, invitation.organization.branding),
      organizationName: invitation.organization.name,
      email: invitation.email,
      givenName: typed || (invitation.name ?? ''),
      join: invitation.hasAccount ? `/account${ctx.path}` : null,
      action: ctx.path,
      error,
      done: false,
      signIn: '/account',
    },
    error ? 422 : 200,
  );
}

function registered(
  { ctx, site, shared }: OpenVisit,
  organization: { readonly name: string; readonly branding: string | null },
): void {
  show(ctx, site.renderer, 'invitation', {
    ...shared,
    brand: brandOf(organization.name, organization.branding),
    organizationName: organization.name,
    email: '',
    givenName: '',
    join: null,
    action: ctx.path,
    error: null,
    done: true,
    signIn: '/account',
  });
}
