import * as z from 'zod';
import { approvalLifetime } from '../factors/device.ts';
import { approveSignIn, denySignIn, type WaitingRequest, waitingRequest } from '../flows/approvals.ts';
import { methodsToAdd } from '../flows/set-up.ts';
import { deviceName } from '../http/device-name.ts';
import { RequestError } from '../http/errors.ts';
import { streamEvent } from '../http/event-stream.ts';
import { leaveFlash } from '../http/flash.ts';
import type { Note, Pages } from '../http/pages.ts';
import { instanceBrand, show } from '../http/show.ts';
import { type Form, ownAccount, type SignedIn, type SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { ownClientId } from '../provider/own-application.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

/** Who approves must have proved more than a password in this very session; a remembered device is no proof (security.md T058). */
const approver = { assurance: 'second factor', permission: ownAccount } as const;

const page = '/account/approvals';

/** Where somebody says yes or no to a sign-in on another device. */
export function approvalRoutes({ get, post }: SignedInRoutes): void {
  get('/approvals', approver, async (visit) => {
    const { ctx, site, assessment, actor } = visit;
    const request = await waitingRequest(site.services, actor.user);
    const locals: Pages['account/approvals'] = {
      ...framed(visit, section),
      request: request && shown(visit, request),
      hasApprovers: assessment.factors.some(
        ({ method, disabled_at }) => method === 'device' && disabled_at === null,
      ),
      add: methodsToAdd(site.services, assessment).includes('device') ? '/account/two-factor/add' : null,
      events: `${page}/events`,
      again: page,
    };
    show(ctx, site.renderer, 'account/approvals', locals);
  });

  /** Tells the page when there is something to say yes or no to. */
  get('/approvals/events', own, ({ ctx, site, actor }) => {
    streamEvent(ctx, 'asked', approvalLifetime, async () => {
      return (await waitingRequest(site.services, actor.user)) !== null;
    });
  });

  post('/approvals/approve', approver, async (visit, form) => {
    const outcome = await approveSignIn(visit.site.services, visit.actor, signedIn(form));
    back(visit, said[outcome.kind]);
  });

  /** Saying no is always safe: whoever is signed in may. */
  post('/approvals/deny', own, async (visit, form) => {
    const request = typeof form.request === 'string' ? form.request.slice(0, 100) : '';
    const outcome = await denySignIn(visit.site.services, visit.actor, request);
    back(visit, said[outcome.kind]);
  });
}

function shown({ site }: SignedIn, request: WaitingRequest): Pages['account/approvals']['request'] {
  const left = request.expiresAt.getTime() - site.services.db.clock.now().getTime();
  return {
    id: request.id,
    applicationName: request.clientId === ownClientId ? instanceBrand.name : request.applicationName,
    browser: deviceName(request.userAgent),
    ip: request.ip,
    askedAt: request.askedAt,
    secondsLeft: Math.max(0, Math.ceil(left / 1000)),
    choices: request.choices,
    toSign: request.toSign,
    keys: JSON.stringify(request.keys),
    approve: `${page}/approve`,
    deny: `${page}/deny`,
  };
}

const credential = z.object({ keyId: z.string().max(100), signature: z.string().max(500) });
const approval = z.object({
  request: z.string().max(100),
  number: z
    .string()
    .regex(/^\d\d$/)
    .transform(Number),
});

/**
 * What the browser has signed; where it has signed nothing that can be read, it is nobody's signature.
 *
 * @throws RequestError bad_request
 */
function signedIn(form: Form) {
  const read = approval.safeParse(form);
  if (!read.success) {
    throw new RequestError('bad_request');
  }
  return { ...read.data, ...(signatureIn(form.credential) ?? { keyId: '', signature: '' }) };
}

function signatureIn(json: unknown): z.infer<typeof credential> | null {
  if (typeof json !== 'string' || json.length > 2000) {
    return null;
  }
  try {
    return credential.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

const said = {
  approved: { tone: 'ok', text: 'Approved. The other device goes on by itself.' },
  denied: {
    tone: 'danger',
    text: 'Declined. If it was not you, change your password now: somebody knows it.',
  },
  wrong_number: {
    tone: 'danger',
    text: 'That is not the number on the other device, so the request has ended. Ask again there.',
  },
  not_an_approver: {
    tone: 'danger',
    text: 'That was not signed by one of your approvers. Nothing was approved.',
  },
  ended: {
    tone: 'warn',
    text: 'This request has ended, or your security settings have changed. Ask again on the other device.',
  },
} as const satisfies Record<string, Note>;

function back({ ctx, site }: SignedIn, note: Note): void {
  leaveFlash(ctx, site.services.ring, note);
  ctx.status = 303;
  ctx.redirect(page);
}
