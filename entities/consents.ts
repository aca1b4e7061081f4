import type { Database, Statement } from './database.ts';

/** The scopes that a person has granted to an application, space-separated; null where never asked. */
export async function consentedScope(db: Database, userId: string, clientId: string): Promise<string | null> {
  const row = await db.row<{ scope: string }>(
    'SELECT scope FROM consents WHERE user_id = ? AND client_id = ?',
    [userId, clientId],
  );
  return row?.scope ?? null;
}

export const giveConsent = (
  db: Database,
  userId: string,
  clientId: string,
  scope: string,
  now: Date,
): Statement =>
  db.upsert('consents', ['user_id', 'client_id'], {
    user_id: userId,
    client_id: clientId,
    scope,
    granted_at: now.getTime(),
  });

export interface ConsentRow {
  client_id: string;
  scope: string;
  granted_at: number;
}

export const consentsOf = (db: Database, userId: string) =>
  db.rows<ConsentRow>('SELECT client_id, scope, granted_at FROM consents WHERE user_id = ?', [userId]);

export const dropConsent = (userId: string, clientId: string): Statement => ({
  sql: 'DELETE FROM consents WHERE user_id = ? AND client_id = ?',
  values: [userId, clientId],
});
