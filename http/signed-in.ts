import Router from '@koa/router';
import type { Context } from 'koa';
import type { Session } from 'oidc-provider';
import { seeSession } from '../entities/sessions.ts';
import type { Actor } from '../flows/actor.ts';
import { type Assessment, assessSignIn, type SignInQuestion } from '../flows/assess-sign-in.ts';
import { type HeldFields, heldFields, holdFields } from '../flows/hold-form.ts';
import type { KnownBrowser } from '../flows/known-browser.ts';
import type { Proved } from '../flows/proofs.ts';
import { minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { acr2fa, acr2sv } from '../policy/assurance.ts';
import { methods } from '../policy/types.ts';
import { provedBy } from '../provider/assess-request.ts';
import { ownClientId } from '../provider/own-application.ts';
import { csrfToken, formOf, requireCsrf } from './csrf.ts';
import { RequestError } from './errors.ts';
import { formBody, formBodyWithFiles } from './form-body.ts';
import { originOf } from './origin.ts';
import { askForSignIn } from './return-to.ts';
import { requireSameOrigin } from './same-origin.ts';
import type { Site } from './site.ts';

export type Form = ReturnType<typeof formOf>;

/** One request of somebody who is signed in, and may do what they ask. */
export interface SignedIn {
  readonly ctx: Context;
  readonly site: Site;
  readonly session: Session;
  readonly proved: Proved;
  /** Who acts; for flows. */
  readonly actor: Actor;
  /** The decision and its facts, as they are at this moment. */
  readonly assessment: Assessment;
  readonly browser: KnownBrowser;
  /** The value of `_csrf` in the forms of this session. */
  readonly csrf: string;
  /** What was typed into this page's form before a fresh proof was asked for; empty where nothing was. */
  readonly held: HeldFields;
  /** Signed in with a recovery code, and no factor used since. */
  readonly recovered: boolean;
}

/** Who may, beside being signed in. Asked at every request, about the very identifiers that the route then uses. */
export interface Permission {
  /** In words, for the list of routes. */
  readonly name: string;
  holds(visit: SignedIn): boolean | Promise<boolean>;
}

/** Everybody, about themselves: the route acts on `actor.user` and on nothing that the request names. */
export const ownAccount: Permission = { name: 'oneself', holds: () => true };

/** What a route asks for. There is no default: a route that says nothing does not compile. */
export interface Rules {
  /**
   * `session`: whoever is signed in, as the policies demand at this very moment. `fresh proof`: also a factor within the last ten
   * minutes, or the password for people who have no factor. `second factor`: a factor at any time in this very session; neither the
   * password alone nor a remembered device.
   */
  readonly assurance: 'session' | 'second factor' | 'fresh proof';
  readonly permission: Permission;
  /**
   * Fields of the form that are kept while a fresh proof is given, and shown again then: never a secret. The page with the form is
   * the GET of the same path.
   */
  readonly keeps?: readonly string[];
  /**
   * After a sign-in with a recovery code the route asks for the password itself instead of a fresh proof: whoever has lost their factor
   * may turn it off, but not spend another code on that (reference/control-panel-mfa.txt).
   */
  readonly passwordAfterRecoveryCode?: boolean;
}

export interface SignedInRoutes {
  readonly router: Router;
  get(path: string, rules: Rules, page: (visit: SignedIn) => void | Promise<void>): void;
  post(path: string, rules: Rules, act: (visit: SignedIn, form: Form) => void | Promise<void>): void;
}

/**
 * The routes of account and admin pages. Each goes through the same steps in the same order: session, policy, the form's origin and
 * token, permission, fresh proof. `home` is where somebody goes who would rather not prove anything now.
 */
export function signedInRoutes(
  site: Site,
  prefix: string,
  home: (ctx: Context) => string,
  { uploads = false }: { readonly uploads?: boolean } = {},
): SignedInRoutes {
  const router = new Router({ prefix });
  const pages = new Set<string>();
  router.use(requireSameOrigin(site.services.settings.issuer));
  const ordinary = { limit: '64kb' };
  router.use(
    uploads
      ? formBodyWithFiles(ordinary, {
          maxFileSize: 300_000,
          maxTotalFileSize: 300_000,
          maxFiles: 1,
          maxFields: 20,
          maxFieldsSize: 400_000,
          allowEmptyFiles: true,
          minFileSize: 0,
        })
      : formBody(ordinary),
  );

  const enter = (method: 'GET' | 'POST', path: string, { assurance, permission }: Rules) =>
    site.routes.add({
      method,
      path: `${prefix}${path === '/' ? '' : path}`,
      assurance,
      permission: permission.name,
      crossSite: method === 'GET' ? 'reads only' : 'origin and token',
    });

  return {
    router,
    get: (path, rules, page) => {
      enter('GET', path, rules);
      pages.add(`${prefix}${path === '/' ? '' : path}`);
      router.get(path, async (ctx) => {
        const visit = await admit(site, ctx, rules, { home, pages });
        if (visit) {
          await page(visit);
        }
      });
    },
    post: (path, rules, act) => {
      enter('POST', path, rules);
      router.post(path, async (ctx) => {
        const visit = await admit(site, ctx, rules, { home, pages });
        if (visit) {
          await act(visit, formOf(ctx));
        }
      });
    },
  };
}

/** Null where the browser was sent to prove something first. */
async function admit(
  site: Site,
  ctx: Context,
  rules: Rules,
  { home, pages }: { readonly home: (ctx: Context) => string; readonly pages: ReadonlySet<string> },
): Promise<SignedIn | null> {
  const visit = await visitOf(site, ctx);
  if (visit?.assessment.decision.kind !== 'allow') {
    const page = pages.has(String(ctx._matchedRoute)) ? ctx.path : home(ctx);
    const isForm = ctx.method === 'POST';
    askForSignIn(ctx, doors(site), { to: isForm ? page : ctx.url, otherwise: '/', lost: isForm });
    return null;
  }
  if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
    requireCsrf(ctx, site.services.ring, csrfPlace(visit.session));
  }
  if (!(await rules.permission.holds(visit))) {
    throw new RequestError('not_found');
  }
  const mayDoWithout = visit.recovered && rules.passwordAfterRecoveryCode === true;
  if (rules.assurance === 'fresh proof' && !mayDoWithout && (await provesFirst(visit, rules, home(ctx)))) {
    return null;
  }
  if (rules.assurance === 'second factor' && !(await isMet(visit, { acr_values: acr2fa }))) {
    askForSignIn(
      ctx,
      doors(site),
      { to: await pageAgain(visit, rules), otherwise: home(ctx) },
      { acr_values: acr2fa },
    );
    return null;
  }
  const name = ctx.query.held;
  const held = typeof name === 'string' ? await heldFields(site.services, visit.actor, ctx.path, name) : null;
  return held ? { ...visit, held } : visit;
}

/**
 * True where the browser was sent to give a fresh proof first. For a form of which only some answers need one; what always does says so
 * in its rules.
 */
export async function provesFirst(
  visit: SignedIn,
  rules: Pick<Rules, 'keeps'>,
  otherwise: string,
  form = formOf(visit.ctx),
): Promise<boolean> {
  const demand = freshDemand(visit);
  if (await isMet(visit, demand)) {
    return false;
  }
  askForSignIn(visit.ctx, doors(visit.site), { to: await pageAgain(visit, rules, form), otherwise }, demand);
  return true;
}

/** The person behind this browser's session, with the policies' word on it; null where nobody is signed in. */
export async function visitOf(site: Site, ctx: Context): Promise<SignedIn | null> {
  const { provider, services } = site;
  const session = await provider.Session.get(ctx as unknown as Parameters<typeof provider.Session.get>[0]);
  const proved = provedBy(session);
  if (session.accountId === undefined || !proved) {
    return null;
  }
  const assessment = await assessSignIn(services, questionOf(site, session.accountId, proved));
  if (!assessment) {
    return null;
  }
  const now = services.db.clock.now();
  const { seenAt = 0 } = session as { readonly seenAt?: number };
  // What a page asks for by itself is no use of it.
  if (seenAt <= now.getTime() - minutes(1) && (ctx.method !== 'GET' || ctx.accepts('html'))) {
    await seeSession(services.db, digest(session.uid), now);
  }
  return {
    ctx,
    site,
    session,
    proved,
    assessment,
    browser: site.cookie.read(ctx).browser,
    actor: {
      user: assessment.user,
      sessionDigest: digest(session.uid),
      origin: originOf(ctx),
    },
    csrf: csrfToken(services.ring, csrfPlace(session)),
    held: {},
    recovered: isRecovered(proved),
  };
}

function isRecovered({ proofs }: Proved): boolean {
  const code = proofs.findLast(({ kind }) => kind === 'recovery_code');
  return (
    code !== undefined &&
    !proofs.some(({ kind, at }) => methods.some((method) => method === kind) && at >= code.at)
  );
}

const csrfPlace = ({ uid }: Session): string => `session ${uid}`;

const doors = ({ services }: Site) => ({ issuer: services.settings.issuer, ring: services.ring });

function questionOf({ services }: Site, userId: string, proved: Proved): SignInQuestion {
  return {
    userId,
    application: { clientId: ownClientId, organizationId: null, assurance: 'none' },
    proofs: proved.proofs,
    choices: proved.choices,
    device: proved.deviceId ? { kind: 'session', id: proved.deviceId } : null,
    request: {
      startedAt: services.db.clock.now(),
      login: false,
      maxAge: null,
      acrValues: [],
      essential: false,
    },
  };
}

/** How old a proof may be for what is dangerous. */
export const freshFor = minutes(10);

/** What an authorization request would have to ask for, so that its answer is a fresh proof of this person. */
function freshDemand({ assessment: { factors } }: SignedIn): Readonly<Record<string, string>> {
  const max_age = String(freshFor / 1000);
  if (factors.length === 0) {
    return { max_age };
  }
  // Codes by e-mail are two steps, but no second factor: whoever has nothing else proves as much as they can.
  return { max_age, acr_values: factors.every(({ method }) => method === 'email') ? acr2sv : acr2fa };
}

/** The authorization endpoint would be asked for this; so is the policy, in the same words. */
async function isMet(
  { site, session, proved, assessment }: SignedIn,
  demand: Readonly<Record<string, string>>,
): Promise<boolean> {
  const question = questionOf(site, String(session.accountId), proved);
  const acrValues = demand.acr_values === undefined ? [] : [demand.acr_values];
  const answer = await assessSignIn(site.services, {
    ...question,
    request: {
      ...question.request,
      maxAge: demand.max_age === undefined ? null : Number(demand.max_age),
      acrValues,
    },
  });
  return answer !== null && answer.user.id === assessment.user.id && answer.decision.kind === 'allow';
}

/** The page that a person comes back to: what they had typed is held for them, and is sent by nobody but themselves. */
async function pageAgain(
  { ctx, site, actor }: SignedIn,
  { keeps = [] }: Pick<Rules, 'keeps'>,
  form = formOf(ctx),
): Promise<string> {
  if (ctx.method === 'GET') {
    return ctx.url;
  }
  const fields = Object.fromEntries(
    keeps.flatMap((name) => {
      const value = form[name];
      // Several boxes of one name are held as lines.
      const text =
        Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.join('\n') : value;
      return typeof text === 'string' ? [[name, text]] : [];
    }),
  );
  if (Object.keys(fields).length === 0) {
    return ctx.path;
  }
  return `${ctx.path}?held=${await holdFields(site.services, actor, ctx.path, fields)}`;
}
