import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { Database } from '../entities/database.ts';
import { listedMembers } from '../entities/member-directory.ts';
import { membershipsOf } from '../entities/memberships.ts';
import { countSignIns, dayOf, noteFigures } from '../entities/organization-days.ts';
import { noteSignIn, userByEmail } from '../entities/users.ts';
import { startRelyingParty } from '../examples/relying-party/relying-party.ts';
import { applyConfiguration } from '../flows/apply-configuration.ts';
import { type MemberEntry, memberEntry } from '../flows/read-members.ts';
import type { Services } from '../flows/services.ts';
import { days, daysUntil } from '../lib/clock.ts';
import { acr1fa, acr2fa } from '../policy/assurance.ts';
import type { Method } from '../policy/types.ts';
import { organization, password, people, totpSecret } from './people.ts';

type Parts = Pick<Services, 'db' | 'ring' | 'queue' | 'passwords'>;

/** The demo organization, once: what somebody has changed in it since is left alone. */
export async function prepareDemo(services: Parts): Promise<void> {
  const { db } = services;
  const there = await db.row('SELECT id FROM organizations WHERE slug = ?', [organization.slug]);
  if (there) {
    return;
  }
  const document = {
    organizations: [
      organization,
      { slug: 'birch', name: 'Birch Studio', policy: { requirement: 'recommended' } },
    ],
    users: people.map(({ email, name, memberships, hasTotp }) => ({
      email,
      name,
      password,
      emailVerified: true,
      memberships,
      ...(hasTotp ? { factors: { totp: totpSecret } } : {}),
    })),
  };
  await applyConfiguration(services, { name: 'the demo', text: JSON.stringify(document) });
  await backdate(db);
}

/** So that the demo has people in grace and people who are overdue from the first minute. */
async function backdate(db: Database): Promise<void> {
  const now = db.clock.now().getTime();
  const row = await db.row<{ id: string; policy: string }>(
    'SELECT id, policy FROM organizations WHERE slug = ?',
    [organization.slug],
  );
  if (!row) {
    return;
  }
  const since = now - days(30);
  const policy = { ...JSON.parse(row.policy), adminsRequiredSince: since, allRequiredSince: since };
  await db.change('UPDATE organizations SET policy = ? WHERE id = ?', [JSON.stringify(policy), row.id]);
  for (const { email, joinedDaysAgo } of people) {
    await db.change(
      `UPDATE memberships SET joined_at = ?, grace_started_at = NULL
       WHERE organization_id = ? AND user_id = (SELECT id FROM users WHERE email = ?)`,
      [now - days(joinedDaysAgo), row.id, email],
    );
  }
  await pretendHistory(db, row.id);
}

/** Four weeks that nobody has seen: how many had set up by each day, and who signed in with what. */
async function pretendHistory(db: Database, organizationId: string): Promise<void> {
  const now = db.clock.now().getTime();
  const today = dayOf(now);
  const members = people.filter(({ memberships }) =>
    memberships.some((one) => one.organization === organization.slug),
  );
  const statements = Array.from({ length: 28 }, (_, n) => 28 - n).flatMap((ago) => {
    const here = members.filter(({ joinedDaysAgo }) => joinedDaysAgo >= ago).length;
    const setUp = Math.min(members.filter(({ hasTotp }) => hasTotp).length, ago > 21 ? 1 : ago > 9 ? 2 : 3);
    const signIns = (today - ago) % 7 < 2 ? 2 : 5 + ((today - ago) % 4);
    return [
      ...noteFigures(db, organizationId, today - ago, {
        members: here,
        required: here,
        setUp,
        overdue: ago < 23 ? 1 : 0,
      }),
      ...countSignIns(db, organizationId, today - ago, signIns, Math.round((signIns * setUp) / (setUp + 1))),
    ];
  });
  await db.together(statements);
  for (const { email, hasTotp, joinedDaysAgo } of members) {
    if (joinedDaysAgo < 2) continue;
    const user = await db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [email]);
    if (!user) continue;
    const at = new Date(now - days(hasTotp ? 1 : 2) - email.length * 3_600_000);
    const signIn = { acr: hasTotp ? acr2fa : acr1fa, clientId: 'demo', language: null, isFirst: true };
    await db.together([noteSignIn(user.id, signIn, at)]);
  }
}

/** The demo relying party on the port after the provider's, or on any free one; registered where it really listens. */
export async function startDemo(
  settings: Settings,
  services: Parts,
  log: Logger,
): Promise<{ readonly welcome: string; close(): Promise<void> }> {
  const listen = (port: number) =>
    startRelyingParty({
      issuer: settings.issuer,
      clientId: 'demo',
      clientSecret: 'demo-secret',
      port,
      log: (line) => log.debug({ demo: line }, 'demo relying party'),
    });
  const wanted = settings.port === 0 ? 0 : settings.port + 1;
  const relyingParty = await listen(wanted).catch(() => listen(0));
  const { url } = relyingParty;
  await applyConfiguration(services, {
    name: 'the demo relying party',
    text: JSON.stringify({
      applications: [
        {
          client_id: 'demo',
          client_secret: 'demo-secret',
          name: 'Demo application',
          organization: organization.slug,
          firstParty: true,
          redirect_uris: [`${url}/callback`],
          post_logout_redirect_uris: [`${url}/`],
          backchannel_logout_uri: `${url}/backchannel-logout`,
          backchannel_logout_session_required: true,
        },
      ],
    }),
  });
  return {
    welcome: await welcome(settings, services, url, wanted),
    close: async () => {
      await relyingParty.close();
    },
  };
}

async function welcome(
  settings: Settings,
  services: Parts,
  relyingParty: string,
  wanted: number,
): Promise<string> {
  const width = Math.max(...people.map(({ email }) => email.length));
  const { port } = new URL(relyingParty);
  const states = await Promise.all(people.map((person) => stateOf(services, person.email)));
  return [
    '',
    `  Demo application   ${relyingParty}      sign in here`,
    ...(wanted === 0 || port === String(wanted)
      ? []
      : [`                     (port ${wanted} is taken, so it is on ${port} this time)`]),
    `  Mail inbox         ${settings.issuer}/dev/inbox`,
    '',
    `  Everybody's password: ${password}`,
    ...people.map(({ email }, index) => `    ${email.padEnd(width)}  ${states[index]}`),
    '',
    `  A code for those with an authenticator app: npx sallyport code`,
    `  or add this secret to your own app: ${totpSecret}`,
    '',
  ].join('\n');
}

/** Who somebody is and what the next sign-in asks of them, as it is now. */
async function stateOf({ db }: Parts, email: string): Promise<string> {
  const user = await userByEmail(db, email);
  const [membership] = user ? await membershipsOf(db, user.id) : [];
  if (!user || !membership) return 'not there any more';
  const { id, slug } = membership.organization;
  const [row] = await listedMembers(db, id, [user.id]);
  if (!row) return 'not there any more';
  const member = memberEntry(row, membership.policy, db.clock.now());
  const where = slug === organization.slug ? '' : ' elsewhere';
  return `${member.role}${where}${member.isDisabled ? ', disabled' : `, ${standing(member, db.clock.now())}`}`;
}

function standing({ state, methods }: MemberEntry, now: Date): string {
  switch (state.kind) {
    case 'in_grace': {
      const n = daysUntil(state.until, now);
      return `must set up, may still skip for ${n} ${n === 1 ? 'day' : 'days'}`;
    }
    case 'overdue':
      return 'overdue: must set up now';
    case 'recommended':
      return 'nothing set up, recommended only';
    default:
      return methods.length === 0
        ? 'nothing set up'
        : `has ${methods.map((method) => named[method]).join(' and ')}`;
  }
}

const named: Readonly<Record<Method, string>> = {
  totp: 'an authenticator app',
  passkey: 'a passkey',
  device: 'another device',
  email: 'codes by e-mail',
  sms: 'text messages',
};
