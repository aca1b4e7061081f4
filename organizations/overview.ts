import { changeOrganizationPolicy } from '../flows/change-organization-policy.ts';
import { passkeysOfOrganization } from '../flows/passkeys-of-organization.ts';
import { policyVersion } from '../flows/preview-policy.ts';
import { readOverview } from '../flows/read-overview.ts';
import { storedName } from '../http/device-name.ts';
import { leaveFlash } from '../http/flash.ts';
import type { Note, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { daysUntil } from '../lib/clock.ts';
import { enrolmentChart, methodsChart, signInsChart } from './charts.ts';
import { basePath, framedBy, inSession, organizationOf, textOf, withProof } from './visit.ts';
import { memberRow } from './words.ts';

/** The first page of an organization, and the one about passkeys: numbers first. */
export function overviewRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug', inSession('overview.read'), showOverview);
  get('/:slug/passkeys', inSession('passkeys.read'), (visit) => showPasskeys(visit, null));
  post('/:slug/passkeys', withProof('policy.change', ['on', 'version']), async (visit, form) => {
    const { ctx, site } = visit;
    const there = await organizationOf(visit);
    const { methods } = there.policy;
    const next =
      form.on === '1'
        ? (['passkey', ...methods.filter((method) => method !== 'passkey')] as const)
        : methods.filter((method) => method !== 'passkey');
    if (next.length === 0) {
      return showPasskeys(
        visit,
        { tone: 'danger', text: 'Passkeys are the only method that counts. Allow another one first.' },
        422,
      );
    }
    const outcome = await changeOrganizationPolicy(site.services, there, {
      change: { methods: [...next] },
      expectedVersion: textOf(form.version),
      notify: true,
      confirmedBy: 'factor',
    });
    if (outcome.kind === 'conflict') {
      return showPasskeys(
        visit,
        {
          tone: 'danger',
          text: 'Somebody else has changed the policy since you opened this page. Nothing was saved.',
        },
        409,
      );
    }
    if (outcome.kind === 'no_method' || outcome.kind === 'owners_lack_factor') {
      return showPasskeys(
        visit,
        { tone: 'danger', text: 'Nobody could comply with that. Nothing was saved.' },
        422,
      );
    }
    leaveFlash(ctx, site.services.ring, {
      tone: 'ok',
      text: form.on === '1' ? 'Passkeys are on.' : 'Passkeys are off.',
    });
    ctx.status = 303;
    ctx.redirect(ctx.path);
  });
}

const percent = (part: number, of: number): string => (of === 0 ? '–' : `${Math.round((part / of) * 100)} %`);

async function showOverview(visit: SignedIn): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const base = basePath(ctx);
  const now = site.services.db.clock.now();
  const overview = await readOverview(site.services, there);
  const { figures, lastWeek } = overview;
  show(ctx, site.renderer, 'organizations/overview', {
    ...(await framedBy(visit)),
    status: statusOf(there.policy.requirement, overview.deadline, now),
    figures: [
      {
        value: percent(figures.twoFactorOn, figures.members),
        text: {
          sentence: 'has a second factor ({n} of {of})|have a second factor ({n} of {of})',
          values: { n: figures.twoFactorOn, of: figures.members },
        },
        url: `${base}/members?twoFactor=on`,
      },
      {
        value: String(figures.mustAct),
        text: { sentence: 'still to set up|still to set up', values: { n: figures.mustAct } },
        url: `${base}/members?state=must_act`,
      },
      {
        value: String(figures.overdue),
        text: { sentence: 'is overdue|are overdue', values: { n: figures.overdue } },
        url: `${base}/members?state=overdue`,
      },
      {
        value: percent(lastWeek.strong, lastWeek.signIns),
        text: "of last week's sign-ins used one",
        url: null,
      },
    ],
    charts: [enrolmentChart(overview, now), methodsChart(overview), signInsChart(overview)],
    overdue: overview.overdue.map((member) => memberRow(member, base, now)),
    overdueTotal: figures.overdue,
    overdueUrl: `${base}/members?state=overdue`,
    remind: figures.mustAct === 0 ? null : { action: `${base}/two-factor/remind`, people: figures.mustAct },
  });
}

function statusOf(requirement: string, deadline: Date | null, now: Date): Sentence {
  const left = deadline === null ? 0 : daysUntil(deadline, now);
  const soon = left > 0;
  switch (requirement) {
    case 'required_for_all':
      return soon
        ? { sentence: 'Required for all in {n} day|Required for all in {n} days', values: { n: left } }
        : 'Required for all';
    case 'required_for_admins':
      return soon
        ? { sentence: 'Required for admins in {n} day|Required for admins in {n} days', values: { n: left } }
        : 'Required for admins';
    case 'recommended':
      return 'Recommended';
    default:
      return 'Optional';
  }
}

async function showPasskeys(visit: SignedIn, note: Note | null, status = 200): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const base = basePath(ctx);
  const { figures, recent } = await passkeysOfOrganization(site.services, there);
  show(
    ctx,
    site.renderer,
    'organizations/passkeys',
    {
      ...(await framedBy(visit)),
      action: `${base}/passkeys`,
      version: policyVersion(there.organization.policy),
      isOn: there.policy.methods.includes('passkey'),
      isAvailable: site.services.available.includes('passkey'),
      isOnly: there.policy.methods.length === 1 && there.policy.methods[0] === 'passkey',
      figures: [
        {
          value: String(figures.byMethod.passkey),
          text: 'with a passkey',
          url: `${base}/members?method=passkey`,
        },
        {
          value: String(figures.members - figures.twoFactorOn),
          text: 'without any second factor',
          url: `${base}/members?twoFactor=off`,
        },
        {
          value: percent(figures.byMethod.passkey, figures.members),
          text: 'of all members have one',
          url: null,
        },
      ],
      recent: recent.map((row) => ({
        url: `${base}/members/${encodeURIComponent(row.user_id)}`,
        name: row.name ?? row.email,
        email: row.email,
        passkey: row.passkey === null ? null : storedName(row.passkey),
        at: new Date(row.confirmed_at),
      })),
      note,
    },
    status,
  );
}
