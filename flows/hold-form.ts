import * as z from 'zod';
import { heldForm, holdForm } from '../entities/held-forms.ts';
import { after, minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import type { Actor } from './actor.ts';
import type { Services } from './services.ts';

/** Long enough to find one's phone. */
const lifetime = minutes(30);
const longest = 10_000;

export type HeldFields = Readonly<Record<string, string>>;

/**
 * Keeps what was typed while its sender proves once more who they are. Only for this session, person and page, and sealed; returns
 * the name under which the page asks for it.
 */
export async function holdFields(
  services: Services,
  actor: Actor,
  path: string,
  fields: HeldFields,
): Promise<string> {
  const { db, ring } = services;
  const id = token();
  const idDigest = digest(id);
  const now = db.clock.now();
  const kept = Object.fromEntries(Object.entries(fields).filter(([, value]) => value.length <= longest));
  const { sql, values } = holdForm(db, {
    idDigest,
    sessionDigest: actor.sessionDigest,
    userId: actor.user.id,
    path,
    fields: seal(ring, place(idDigest), JSON.stringify(kept)),
    now,
    expiresAt: after(now, lifetime),
  });
  await db.change(sql, values);
  return id;
}

/** What was held under this name for this session, person and page; null where it never was, or is too old. */
export async function heldFields(
  { db, ring }: Services,
  actor: Actor,
  path: string,
  id: string,
): Promise<HeldFields | null> {
  const idDigest = digest(id);
  const row = await heldForm(
    db,
    { idDigest, sessionDigest: actor.sessionDigest, userId: actor.user.id, path },
    db.clock.now(),
  );
  return row ? fieldsOf.parse(JSON.parse(open(ring, place(idDigest), row.fields))) : null;
}

const fieldsOf = z.record(z.string(), z.string());
const place = (idDigest: string) => ({ table: 'held_forms', column: 'fields', row: idDigest });
