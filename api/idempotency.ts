import type { Context } from 'koa';
import { holdKey, idempotencyRow, keepAnswer, releaseKey, takeKey } from '../entities/idempotency-keys.ts';
import { RequestError } from '../http/errors.ts';
import { after, days, seconds } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { open, seal } from '../lib/seal.ts';
import type { Caller } from './caller.ts';
import type { Answer, ApiSite, Operation } from './operation.ts';

/**
 * Does what was asked once for each `Idempotency-Key` of a caller, on any number of servers: the same request again gets the answer of
 * the first, another one under the same key is refused, and one that comes while the first is under way is told so. Kept for a day.
 * A request that failed leaves no trace, so it may be tried again; so may, a minute later, one whose server died in the middle.
 */
export async function once(
  { services }: ApiSite,
  ctx: Context,
  caller: Caller,
  operation: Operation,
  text: string,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const given = ctx.get('Idempotency-Key');
  if (given === '' || operation.verb === 'get') return work();
  if (!/^[\x21-\x7e]{1,255}$/.test(given)) {
    throw new RequestError('invalid', {
      errors: [{ pointer: '#header/Idempotency-Key', detail: 'must be 1 to 255 ASCII characters' }],
    });
  }
  const { db, ring } = services;
  const now = db.clock.now();
  const who = caller.kind === 'person' ? caller.userId : '';
  const keyDigest = digest(JSON.stringify([caller.clientId, who, given]));
  const requestDigest = digest(JSON.stringify([operation.id, ctx.path, ctx.querystring, text]));
  const key = { keyDigest, holder: newId(now) };
  const place = { table: 'idempotency_keys', column: 'answer', row: keyDigest };
  if (!(await takeKey(db, { ...key, requestDigest, now, expiresAt: after(now, days(1)) }))) {
    const row = await idempotencyRow(db, keyDigest);
    if (row && row.request_digest !== requestDigest) throw new RequestError('idempotency_key_reused');
    if (!row || row.answer === null) throw new RequestError('idempotency_in_progress');
    const kept = JSON.parse(open(ring, place, row.answer)) as Answer;
    return { ...kept, headers: { ...kept.headers, 'Idempotency-Replayed': 'true' } };
  }
  const holding = setInterval(() => void holdKey(db, key, db.clock.now()).catch(() => {}), seconds(15));
  try {
    const answer = await work().catch(async (error: unknown) => {
      await releaseKey(db, key);
      throw error;
    });
    await keepAnswer(db, key, seal(ring, place, JSON.stringify(answer)));
    return answer;
  } finally {
    clearInterval(holding);
  }
}
