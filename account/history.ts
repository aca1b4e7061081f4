import * as z from 'zod';
import type { AuditType } from '../audit/audit.ts';
import { signInEvents } from '../entities/audit-events.ts';
import { factorFor } from '../factors/index.ts';
import { deviceName } from '../http/device-name.ts';
import { eventWords } from '../http/event-words.ts';
import type { ListedEvent, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { acr1fa, acr2fa, acr2sv, acrPhr, acrRemembered } from '../policy/assurance.ts';
import { methods } from '../policy/types.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

const perPage = 50;

const words: Partial<Record<AuditType, { readonly text: Sentence; readonly tone: ListedEvent['tone'] }>> = {
  'sign_in.succeeded': { text: 'Signed in', tone: 'ok' },
  'sign_in.refused': { text: 'Sign-in refused', tone: 'warn' },
  'password.failed': { text: 'Wrong password', tone: 'warn' },
  'password.blocked': { text: 'Too many wrong passwords', tone: 'danger' },
  'factor.failed': { text: 'Right password, wrong second step', tone: 'warn' },
  'factor.blocked': { text: 'Right password, too many wrong second steps', tone: 'danger' },
  'recovery_code.used': { text: 'Recovery code used', tone: 'warn' },
  'recovery_code.failed': { text: 'Right password, wrong recovery code', tone: 'warn' },
  'approval.denied': { text: 'Denied on another device', tone: 'danger' },
  'setup.skipped': { text: 'Setting up was skipped', tone: 'info' },
  'password.reset': { text: 'Password reset by mail', tone: 'warn' },
  not_me: { text: '"This was not me"', tone: 'warn' },
};

/** How a sign-in was proved, by what it claimed. */
const ways: ReadonlyMap<string, Sentence> = new Map([
  [acr1fa, 'Password only'],
  [acrRemembered, 'Password, on a remembered device'],
  [acr2sv, 'Password and e-mail code'],
  [acr2fa, 'Password and second factor'],
  [acrPhr, 'Passkey'],
]);

/** What was proved, in the order in which it was. A code to the mailbox comes before a set-up, and lets nobody in. */
const proofs: ReadonlyMap<string, Sentence> = new Map([
  ['password', 'Password'],
  ['upstream', 'Another provider'],
  ['recovery_code', 'Recovery code'],
  ...methods.map((method) => [method, factorFor(method).label] as const),
]);

const facts = z.object({ acr: z.string().optional(), by: z.array(z.string()).optional() });

function provedBy({ acr = '', by = [] }: z.infer<typeof facts>): readonly Sentence[] {
  const named = by.flatMap((kind) => proofs.get(kind) ?? []);
  const summary = ways.get(acr);
  return named.length > 1 ? named : summary === undefined ? named : [summary];
}

/** What was done to the account, in the words of the audit log, and what of it is worth a second look. */
const changes = {
  'user.registered': 'info',
  'factor.added': 'ok',
  'factor.removed': 'warn',
  'factor.disabled': 'danger',
  'factor.copied': 'danger',
  'factors.disabled': 'warn',
  'two_factor.reset': 'danger',
  'two_factor.reset_by_mail': 'warn',
  'recovery_codes.made': 'info',
  'recovery_codes.shown': 'warn',
  'device.remembered': 'info',
  'device.forgotten': 'info',
  'devices.forgotten': 'info',
  'password.changed': 'warn',
  'password.reset_asked': 'info',
  'password.reset': 'warn',
  'email.change_asked': 'info',
  'email.changed': 'warn',
  'phone.changed': 'warn',
  'upstream.linked': 'warn',
  'upstream.unlinked': 'info',
  'consent.given': 'info',
  'access.revoked': 'info',
  'user.disconnected': 'warn',
  'help.asked': 'warn',
  not_me: 'danger',
} satisfies Partial<Record<AuditType, ListedEvent['tone']>>;

const changeFacts = z.object({
  method: z.enum(methods).optional().catch(undefined),
  by: z.string().optional(),
});

/** Where an administrator was is not told to members. */
function changeIn(row: SignInEvent): ListedEvent[] {
  const tone = changes[row.type as keyof typeof changes];
  const text = eventWords[row.type];
  if (tone === undefined || text === undefined) {
    return [];
  }
  const { method, by } = changeFacts.parse(JSON.parse(row.data));
  const isTheirs = by === undefined && (row.organization_id === null || row.type === 'help.asked');
  return [
    {
      text,
      tone,
      at: new Date(row.at),
      how: [
        ...(method === undefined ? [] : [factorFor(method).label]),
        ...(isTheirs ? [] : (['By an administrator'] as const)),
      ],
      applicationName: row.application_name,
      place: isTheirs ? { device: deviceName(row.user_agent), from: row.ip } : null,
    },
  ];
}

function signInIn(row: SignInEvent): ListedEvent[] {
  const known = words[row.type as AuditType];
  return known
    ? [
        {
          ...known,
          at: new Date(row.at),
          how: row.type === 'sign_in.succeeded' ? provedBy(facts.parse(JSON.parse(row.data))) : [],
          applicationName: row.application_name,
          place: { device: deviceName(row.user_agent), from: row.ip },
        },
      ]
    : [];
}

type SignInEvent = Awaited<ReturnType<typeof signInEvents>>[number];

const page = '/account/history';
const views = {
  signIns: { types: Object.keys(words), listed: signInIn, address: page },
  changes: { types: Object.keys(changes), listed: changeIn, address: `${page}?show=changes` },
} as const;

/** Every try to get into the account, or everything that was changed about it, from the audit log. */
export function historyRoutes({ get }: SignedInRoutes): void {
  get('/history', own, async (visit) => {
    const { ctx, site, actor } = visit;
    const showing = ctx.query.show === 'changes' ? 'changes' : 'signIns';
    const { types, listed, address } = views[showing];
    const { before } = ctx.query;
    const from = typeof before === 'string' && /^[0-9a-f]{32}$/.test(before) ? before : null;
    const rows = await signInEvents(site.services.db, actor.user.id, types, from, perPage + 1);
    const shown = rows.slice(0, perPage);
    show(ctx, site.renderer, 'account/history', {
      ...framed(visit, section),
      showing,
      other: views[showing === 'changes' ? 'signIns' : 'changes'].address,
      events: shown.flatMap(listed),
      older:
        rows.length > perPage
          ? `${address}${address.includes('?') ? '&' : '?'}before=${shown.at(-1)?.id}`
          : null,
    });
  });
}
