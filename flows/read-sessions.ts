import type { Origin } from '../audit/audit.ts';
import { applicationById } from '../entities/applications.ts';
import { liveSessionsOf, type SessionRow } from '../entities/sessions.ts';
import { open } from '../lib/seal.ts';
import { applicationsOf } from './end-sessions.ts';
import { proved } from './proofs.ts';
import type { Services } from './services.ts';

export interface OpenSession {
  readonly row: SessionRow;
  readonly startedAt: Date;
  readonly seenAt: Date;
  readonly origin: Origin | null;
  /** Names of the applications that it was used for. */
  readonly applications: readonly string[];
}

/** Where somebody is signed in now: from where, since when, and in which applications; the newest first. */
export async function readSessions(services: Services, userId: string): Promise<OpenSession[]> {
  const { db } = services;
  const rows = await liveSessionsOf(db, userId, db.clock.now());
  const ids = [...new Set(rows.flatMap((row) => applicationsOf(services, row)))];
  const names = new Map(
    (await Promise.all(ids.map((id) => applicationById(db, id)))).flatMap((application) =>
      application ? [[application.client_id, application.name] as const] : [],
    ),
  );
  return rows.map((row) => ({
    row,
    startedAt: new Date(row.started_at),
    seenAt: new Date(row.seen_at),
    origin: originOf(services, row),
    applications: applicationsOf(services, row).flatMap((id) => names.get(id) ?? []),
  }));
}

function originOf({ ring }: Services, row: SessionRow): Origin | null {
  const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
  const payload = JSON.parse(open(ring, place, row.payload)) as { proved?: unknown };
  const parsed = proved.safeParse(payload.proved);
  return parsed.success ? (parsed.data.origin ?? null) : null;
}
