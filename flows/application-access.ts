import * as z from 'zod';
import { auditEvent } from '../audit/audit.ts';
import { applicationById } from '../entities/applications.ts';
import { consentsOf, dropConsent } from '../entities/consents.ts';
import {
  grantEnded,
  liveGrantsOf,
  type ProviderRecordRow,
  recordEnded,
} from '../entities/provider-records.ts';
import { open } from '../lib/seal.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Services } from './services.ts';

export interface Access {
  readonly clientId: string;
  readonly name: string;
  readonly organizationName: string | null;
  /** What it may read. */
  readonly scopes: readonly string[];
  readonly since: Date;
}

const grant = z.object({
  clientId: z.string(),
  openid: z.object({ scope: z.string().optional() }).optional(),
});

function grantOf({ ring }: Services, row: ProviderRecordRow): z.infer<typeof grant> {
  const place = { table: 'provider_records', column: 'payload', row: `Grant ${row.id_digest}` };
  return grant.parse(JSON.parse(open(ring, place, row.payload)));
}

/** The applications that may act for a person: by a consent that stands, or by a sign-in whose tokens live. By name. */
export async function readAccess(services: Services, userId: string): Promise<Access[]> {
  const { db } = services;
  const [grants, consents] = await Promise.all([
    liveGrantsOf(db, userId, db.clock.now()),
    consentsOf(db, userId),
  ]);
  const held = [
    ...grants.map((row) => {
      const { clientId, openid } = grantOf(services, row);
      return { clientId, scope: openid?.scope ?? '', since: row.created_at };
    }),
    ...consents.map((row) => ({ clientId: row.client_id, scope: row.scope, since: row.granted_at })),
  ];
  const ids = [...new Set(held.map(({ clientId }) => clientId))];
  const all = await Promise.all(
    ids.map(async (clientId): Promise<Access[]> => {
      const application = await applicationById(db, clientId);
      const own = held.filter((one) => one.clientId === clientId);
      return application
        ? [
            {
              clientId,
              name: application.name,
              organizationName: application.organization_name,
              scopes: [
                ...new Set(own.flatMap(({ scope }) => scope.split(' ')).filter((word) => word !== '')),
              ],
              since: new Date(Math.min(...own.map(({ since }) => since))),
            },
          ]
        : [];
    }),
  );
  return all.flat().sort((a, b) => a.name.localeCompare(b.name));
}

/** Takes an application's access back: consent, grants and all that they gave. It asks again at the next sign-in. */
export async function revokeAccess(services: Services, actor: Actor, clientId: string): Promise<boolean> {
  const { db } = services;
  const userId = actor.user.id;
  const now = db.clock.now();
  const own = (await liveGrantsOf(db, userId, now)).filter(
    (row) => grantOf(services, row).clientId === clientId,
  );
  const consented = (await consentsOf(db, userId)).some((row) => row.client_id === clientId);
  if (own.length === 0 && !consented) {
    return false;
  }
  return db.together([
    stillSignedIn(services, actor),
    dropConsent(userId, clientId),
    ...own.flatMap(({ id_digest }) => [grantEnded(id_digest, now), recordEnded('Grant', id_digest, now)]),
    auditEvent(db, actor.origin, { type: 'access.revoked', userId, clientId }),
  ]);
}
