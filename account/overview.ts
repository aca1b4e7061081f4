import type { FactorRow } from '../entities/factors.ts';
import { rememberedDevicesOf } from '../entities/remembered-devices.ts';
import { factorFor } from '../factors/index.ts';
import { numberIn } from '../factors/sms.ts';
import { connectableUpstreams } from '../flows/connect-upstream.ts';
import { forbiddenBy } from '../flows/remove-factor.ts';
import { methodsToAdd } from '../flows/set-up.ts';
import { maySeeRecoveryCodes } from '../flows/show-recovery-codes.ts';
import { subjectFor } from '../flows/subject.ts';
import { deviceName, storedName } from '../http/device-name.ts';
import type { Pages } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { digest, sameDigest } from '../lib/digest.ts';
import { shownPhoneNumber } from '../lib/phone-number.ts';
import { connectionsOf, connectPath } from './connections.ts';
import { whoRequires } from './factors.ts';
import { mayRegenerate, maySee } from './recovery-codes.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

/** The first page of the account: how the person signs in. */
export function overviewRoutes({ get }: SignedInRoutes): void {
  get('/', own, async (visit) => {
    show(visit.ctx, visit.site.renderer, 'account/overview', await overviewOf(visit));
  });
}

async function overviewOf(visit: SignedIn): Promise<Pages['account/overview']> {
  const { assessment, site } = visit;
  const { user, factors } = assessment;
  const isOn = factors.length > 0;
  const by = await forbiddenBy(site.services, assessment, []);
  return {
    ...framed(visit, section),
    isOn,
    recovered: visit.recovered && isOn,
    required: by.length === 0 ? null : whoRequires(by),
    factors: factors.map((factor) => ({
      method: factor.method,
      label: factorFor(factor.method).label,
      name: factor.name === null ? null : storedName(factor.name),
      to: destinationOf(visit, factor),
      addedAt: new Date(factor.confirmed_at),
      usedAt: factor.last_used_at === null ? null : new Date(factor.last_used_at),
      isPreferred: factors.length > 1 && factor.id === user.preferred_factor_id,
      isClosed: factor.disabled_at !== null,
      url: `/account/factors/${factor.id}`,
    })),
    add: methodsToAdd(site.services, assessment).length > 0 ? '/account/two-factor/add' : null,
    disable: isOn && by.length === 0 ? '/account/two-factor/disable' : null,
    codesLeft: assessment.recoveryCodesLeft,
    showCodes:
      isOn && maySee(visit) && (await maySeeRecoveryCodes(site.services, assessment))
        ? '/account/recovery-codes'
        : null,
    regenerate: mayRegenerate(visit) ? '/account/recovery-codes/regenerate' : null,
    devices: await devicesOf(visit),
    forgetAll: '/account/devices/forget-all',
    password: { url: '/account/password', isFirst: user.password_hash === null },
    connections: await connectionsOf(visit),
    connectable: (await connectableUpstreams(site.services, assessment)).map(({ name, name_key }) => ({
      name,
      url: connectPath(name_key),
    })),
  };
}

/** Where the codes of this factor go. */
function destinationOf({ site, assessment: { user } }: SignedIn, row: FactorRow): string | null {
  const [factor] = subjectFor(site.services, user, [row], row.method, '').factors;
  const number = row.method === 'sms' ? numberIn(factor?.data) : null;
  return row.method === 'email' ? user.email : number === null ? null : shownPhoneNumber(number);
}

async function devicesOf({
  site,
  assessment,
  browser,
}: SignedIn): Promise<Pages['account/overview']['devices']> {
  const { db } = site.services;
  const { user } = assessment;
  const rows = await rememberedDevicesOf(db, user.id, db.clock.now());
  const mine = browser.deviceOf(user.id);
  return rows.map((row) => ({
    name: deviceName(row.user_agent),
    from: row.ip,
    usedAt: new Date(row.last_used_at),
    until: new Date(row.expires_at),
    // The secret says it, not the name: a name can be copied.
    isThis: mine !== null && mine.id === row.id && sameDigest(row.secret_digest, digest(mine.secret)),
    forget: `/account/devices/${row.id}/forget`,
  }));
}
