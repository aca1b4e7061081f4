import type { Client, Provider } from 'oidc-provider';
import * as z from 'zod';
import { auditEvent, type Origin } from '../audit/audit.ts';
import { destroyRecordsOfGrant } from '../entities/provider-records.ts';
import { endSession, type SessionRow } from '../entities/sessions.ts';
import type { Services } from '../flows/services.ts';
import { digest } from '../lib/digest.ts';
import { open } from '../lib/seal.ts';

/** What a session's payload says of the applications that it was used for. */
export const authorizations = z.record(
  z.string(),
  z.object({
    sid: z.string().optional(),
    grantId: z.string().optional(),
    /** The application was allowed to stay connected (`offline_access`). */
    persistsLogout: z.boolean().optional(),
  }),
);

/** The applications that a session was used for, by client_id. */
export function applicationsOf(
  { ring }: Services,
  row: Pick<SessionRow, 'uid_digest' | 'payload'>,
): z.infer<typeof authorizations> {
  const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
  const payload = JSON.parse(open(ring, place, row.payload)) as { authorizations?: unknown };
  return authorizations.parse(payload.authorizations ?? {});
}

/**
 * Ends sessions for good, with all that they gave except to applications that may stay connected, and tells the applications
 * (Back-Channel Logout 1.0). One that does not answer stops nobody. Returns how many were ended by this call.
 */
export async function endSessions(
  provider: Provider,
  services: Services,
  rows: readonly SessionRow[],
  origin: Origin,
  why: string,
): Promise<number> {
  const { db } = services;
  const ended: SessionRow[] = [];
  for (const row of rows) {
    if ((await endSession(db, row.uid_digest, db.clock.now())) === 1) {
      ended.push(row);
      const { sql, values } = auditEvent(db, origin, {
        type: 'session.ended',
        userId: row.account_id,
        data: { why },
      });
      await db.change(sql, values);
    }
  }
  await Promise.all(ended.map((row) => leaveApplications(provider, services, row)));
  return ended.length;
}

async function leaveApplications(provider: Provider, services: Services, row: SessionRow): Promise<void> {
  const { db } = services;
  const used = Object.entries(applicationsOf(services, row));
  for (const [, { grantId, persistsLogout }] of used) {
    if (grantId !== undefined && persistsLogout !== true) {
      await destroyRecordsOfGrant(db, digest(grantId), db.clock.now());
    }
  }
  await Promise.all(
    used.map(async ([clientId, { sid }]) => {
      const client = await provider.Client.find(clientId).catch(() => undefined);
      if (client && row.account_id !== null) {
        await tell(provider, client, row.account_id, sid);
      }
    }),
  );
}

async function tell(provider: Provider, client: Client, accountId: string, sid?: string): Promise<void> {
  const { backchannelLogoutUri } = client as unknown as { backchannelLogoutUri?: string };
  if (!backchannelLogoutUri) {
    return;
  }
  const told = client as unknown as { backchannelLogout(sub: string, sid?: string): Promise<void> };
  try {
    await told.backchannelLogout(accountId, sid);
  } catch (error) {
    (provider as unknown as { emit(name: string, ...rest: unknown[]): void }).emit(
      'backchannel.error',
      undefined,
      error,
      client,
      accountId,
      sid,
    );
  }
}
