import type { Context } from 'koa';
import type { Database } from '../entities/database.ts';
import {
  giveUpKey,
  holdKey,
  holdsKey,
  idempotencyRow,
  type KeyHolder,
  keepAnswer,
  keyWritten,
  releaseKey,
  takeKey,
} from '../entities/idempotency-keys.ts';
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
 * A request that failed before it wrote anything leaves no trace, so it may be tried again; so may, a minute later, one whose server died
 * then. What wrote something is never done twice: where its answer was lost, whoever asks again is told to look.
 *
 * @param work is given the site by which it must write
 * @param stillMay throws where the caller may not do it any more: an answer that was kept may hold a secret
 */
export async function once(
  site: ApiSite,
  ctx: Context,
  caller: Caller,
  operation: Operation,
  text: string,
  work: (site: ApiSite) => Promise<Answer>,
  stillMay: () => Promise<unknown>,
): Promise<Answer> {
  const given = ctx.get('Idempotency-Key');
  if (given === '' || operation.verb === 'get') return work(site);
  if (!/^[\x21-\x7e]{1,255}$/.test(given)) {
    throw new RequestError('invalid', {
      errors: [{ pointer: '#header/Idempotency-Key', detail: 'must be 1 to 255 ASCII characters' }],
    });
  }
  const { services } = site;
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
    if (!row || row.answer === null) {
      const isLost = row !== null && row.written_at !== null && row.held_until <= now.getTime();
      throw new RequestError(isLost ? 'idempotency_answer_lost' : 'idempotency_in_progress');
    }
    await stillMay();
    const kept = JSON.parse(open(ring, place, row.answer)) as Answer;
    return { ...kept, headers: { ...kept.headers, 'Idempotency-Replayed': 'true' } };
  }
  const holding = setInterval(() => void holdKey(db, key, db.clock.now()).catch(() => {}), seconds(15));
  try {
    const answer = await work({ ...site, services: { ...services, db: markingWrites(db, key) } }).catch(
      async (error: unknown) => {
        const isRefusal = error instanceof RequestError && error.status < 500;
        await (isRefusal ? releaseKey(db, key) : giveUpKey(db, key, db.clock.now())).catch(() => {});
        throw error;
      },
    );
    await keep(db, key, seal(ring, place, JSON.stringify(answer)));
    return answer;
  } finally {
    clearInterval(holding);
  }
}

/** The first write of a request notes, wholly or not at all, that there is one; where the key is another's by now, nothing is written. */
function markingWrites(db: Database, key: KeyHolder): Database {
  let isMarked = false;
  const mark = () => keyWritten(key, db.clock.now());
  const taken = () => new RequestError('idempotency_in_progress');
  return {
    ...db,
    change: async (sql, values) => {
      if (!isMarked && !(await db.together([mark()]))) throw taken();
      isMarked = true;
      return db.change(sql, values);
    },
    together: async (batch) => {
      if (isMarked) return db.together(batch);
      const isWritten = await db.together([mark(), ...batch]);
      if (isWritten) isMarked = true;
      else if (!(await holdsKey(db, key))) throw taken();
      return isWritten;
    },
  };
}

/** What was done is done, and is said so, also where its answer cannot be kept for the next who asks. */
async function keep(db: Database, key: KeyHolder, answer: string): Promise<void> {
  for (const wait of [200, 1000, null]) {
    try {
      await keepAnswer(db, key, answer);
      return;
    } catch {
      if (wait !== null) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  await giveUpKey(db, key, db.clock.now()).catch(() => {});
}
