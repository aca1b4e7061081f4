import type { Provider } from 'oidc-provider';
import * as z from 'zod';
import type { Origin } from '../audit/audit.ts';
import type { SessionRow } from '../entities/sessions.ts';
import { endSessionOnce } from '../flows/end-sessions.ts';
import type { Services } from '../flows/services.ts';
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
 * Ends sessions for good, with all that they gave except to applications that may stay connected; the applications are told through
 * the outbox (Back-Channel Logout 1.0). Returns how many were ended by this call.
 */
export async function endSessions(
  _provider: Provider,
  services: Services,
  rows: readonly SessionRow[],
  origin: Origin,
  _why: string,
): Promise<number> {
  let ended = 0;
  for (const row of rows) {
    if (await endSessionOnce(services, row, origin, 'by_the_person')) ended += 1;
  }
  return ended;
}
