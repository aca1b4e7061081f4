import Router from '@koa/router';
import type { Context } from 'koa';
import { audit } from '../audit/audit.ts';
import type { Assessment } from '../flows/assess-sign-in.ts';
import { findSignIn, type SignInState, saveSignIn } from '../flows/sign-in-state.ts';
import { formOf, requireCsrf } from '../http/csrf.ts';
import { formBody } from '../http/form-body.ts';
import { requireSameOrigin } from '../http/same-origin.ts';
import { allowFormTargets } from '../http/security-headers.ts';
import type { Site } from '../http/site.ts';
import { finish } from './finish.ts';
import { type Next, nextAfter, nextOf } from './next.ts';
import { assess, type Visit, visitOf } from './visit.ts';

export type StepOf<Kind extends Next['kind']> = Extract<Next, { kind: Kind }>;
export type Form = ReturnType<typeof formOf>;

/** How the routes of a step are written: what came is read and checked here, and what does not fit leads to the page that does. */
export interface Steps {
  readonly site: Site;
  readonly router: Router;
  /** A page of the interaction, whatever it needs next. */
  get(path: string, page: (visit: Visit, next: Next) => void | Promise<void>): void;
  /** A form that may come at any step. */
  post(path: string, act: (visit: Visit, form: Form) => Promise<void>): void;
  /** A form of one step: anywhere else it does nothing, and the page of the present step is shown. */
  postIn<Kind extends Next['kind']>(
    kind: Kind,
    path: string,
    act: (visit: Visit, next: StepOf<Kind>, form: Form) => void | Promise<void>,
  ): void;
}

export function createSteps(site: Site, showNext: (visit: Visit, next: Next) => Promise<void>): Steps {
  const prefix = '/interaction/:uid';
  const router = new Router({ prefix });
  const enter = (method: string, path: string, crossSite: 'reads only' | 'origin and token') =>
    site.routes.add({
      method,
      path: `${prefix}${path === '/' ? '' : path}`,
      assurance: 'interaction',
      permission: 'the browser that began it',
      crossSite,
    });
  router.use(requireSameOrigin(site.services.settings.issuer));
  router.use(formBody({ limit: '64kb' }));

  const get: Steps['get'] = (path, page) => {
    enter('GET', path, 'reads only');
    router.get(path, async (ctx) => {
      const visit = await arrive(site, ctx);
      await page(visit, await nextOf(visit));
    });
  };
  const post: Steps['post'] = (path, act) => {
    enter('POST', path, 'origin and token');
    router.post(path, async (ctx) => {
      const visit = await arrive(site, ctx);
      requireCsrf(ctx, site.services.ring, `interaction ${visit.uid}`);
      await act(visit, formOf(ctx));
    });
  };
  const postIn: Steps['postIn'] = (kind, path, act) =>
    post(path, async (visit, form) => {
      const next = await nextOf(visit);
      await (isStep(next, kind) ? act(visit, next, form) : showNext(visit, next));
    });
  return { site, router, get, post, postIn };
}

const isStep = <Kind extends Next['kind']>(next: Next, kind: Kind): next is StepOf<Kind> =>
  next.kind === kind;

async function arrive(site: Site, ctx: Context): Promise<Visit> {
  const visit = await visitOf(site, ctx);
  // A broker's answer to the browser leads on to an application that nobody here knows.
  if (visit.client.broker !== true) {
    allowFormTargets(ctx, [String(visit.interaction.params.redirect_uri ?? site.provider.issuer)]);
  }
  if (site.cookie.read(ctx).tampered) {
    site.cookie.write(ctx, visit.browser);
    await audit(site.services.db, visit.origin, { type: 'device.rejected', clientId: visit.client.clientId });
  }
  return visit;
}

/** Back to the one page that knows what follows. A form that came second finds there what the first one did. */
export function onward(visit: Visit, factorId?: string): void {
  const query = factorId === undefined ? '' : `?with=${encodeURIComponent(factorId)}`;
  visit.ctx.status = 303;
  visit.ctx.redirect(`/interaction/${visit.uid}${query}`);
}

/**
 * After what is often the last step: where nothing is left to ask, the sign-in ends here and now, one round trip sooner than by way
 * of the page.
 */
export async function onwardOrFinish(visit: Visit): Promise<void> {
  const found = await findSignIn(visit.site.services, visit.uid);
  const fresh = found.kind === 'found' ? { ...visit, signIn: found.signIn } : visit;
  const assessment = found.kind === 'found' ? await assess(fresh) : null;
  return assessment ? stepOrFinish(fresh, assessment) : onward(visit);
}

/** The same, where what was just written and what the policy says to it are known. */
export async function stepOrFinish(visit: Visit, assessment: Assessment): Promise<void> {
  const next = await nextAfter(visit, assessment);
  return next.kind === 'finish' ? finish(visit, next, null) : onward(visit);
}

/** Writes the next state of the sign-in and goes on. */
export async function move(visit: Visit, state: SignInState): Promise<void> {
  await saveSignIn(visit.site.services, visit.signIn, state);
  await onwardOrFinish(visit);
}
