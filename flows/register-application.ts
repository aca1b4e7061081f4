import { auditEvent, nowhere } from '../audit/audit.ts';
import { applicationById } from '../entities/applications.ts';
import { updateRow } from '../entities/configuration.ts';
import { removeStreamsOf } from '../entities/signal-streams.ts';
import { seal } from '../lib/seal.ts';
import { type Metadata, metadataNames } from './client-metadata.ts';
import type { Services } from './services.ts';

type Store = Pick<Services, 'db' | 'ring'>;

/** An application that a program registers, or changes, for itself (RFC 7591, RFC 7592): never one of the first party. */
export async function saveRegistered({ db, ring }: Store, clientId: string, given: Metadata): Promise<void> {
  const now = db.clock.now();
  const row = await applicationById(db, clientId);
  const { client_secret: secret, client_name: name } = given;
  const metadata = Object.fromEntries(Object.entries(given).filter(([key]) => metadataNames.has(key)));
  const columns = {
    name: typeof name === 'string' ? name : clientId,
    secret:
      typeof secret === 'string'
        ? seal(ring, { table: 'applications', column: 'secret', row: clientId }, secret)
        : null,
    metadata: JSON.stringify(metadata),
    updated_at: now.getTime(),
  };
  const organizationId = typeof given.organization_id === 'string' ? given.organization_id : null;
  await db.together([
    row
      ? updateRow('applications', { client_id: clientId }, columns)
      : db.insert('applications', {
          client_id: clientId,
          organization_id: organizationId,
          resource: null,
          first_party: 0,
          assurance: 'none',
          created_at: now.getTime(),
          ...columns,
        }),
    auditEvent(db, nowhere, {
      type: row ? 'application.changed' : 'application.registered',
      organizationId: row?.organization_id ?? organizationId,
      clientId,
      data: { by: 'registration' },
    }),
  ]);
}

export async function removeRegistered({ db }: Pick<Store, 'db'>, clientId: string): Promise<void> {
  const row = await applicationById(db, clientId);
  await db.together([
    { sql: 'DELETE FROM applications WHERE client_id = ?', values: [clientId] },
    { sql: 'DELETE FROM consents WHERE client_id = ?', values: [clientId] },
    ...removeStreamsOf(clientId),
    auditEvent(db, nowhere, {
      type: 'application.removed',
      organizationId: row?.organization_id ?? null,
      clientId,
      data: { by: 'registration' },
    }),
  ]);
}
