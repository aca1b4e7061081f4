import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Database } from '../entities/database.ts';
import { sessionsAhead } from '../entities/records-beside.ts';
import {
  createSession,
  replaceSession,
  retireSessionId,
  type SessionRow,
  sessionById,
  sessionByUid,
  sessionRow,
} from '../entities/sessions.ts';
import { after, minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';
import { longestSession } from '../policy/session-lengths.ts';
import { localEpoch } from './adapter.ts';

/** product.md §8. A policy may allow less, which the question for a session asks at every use (`entities/sessions.ts`). */
export const sessionIdle = minutes(longestSession.idleMinutes);
export const sessionAbsolute = minutes(longestSession.absoluteMinutes);

/**
 * Sessions in their own table, because ending one is final: a request that is still under way saves its copy at its end, and must
 * neither bring an ended session back (trap F13) nor overwrite what another request has proved meanwhile.
 *
 * `version` in the payload is the row's version when it was read. A writer that comes too late is merged when it only adds
 * applications to the same person's session, dropped when it knows an older sign-in, and refused when it is about somebody else.
 */
export class SessionAdapter implements Adapter {
  private readonly db: Database;
  private readonly ring: KeyRing;

  constructor(db: Database, ring: KeyRing) {
    this.db = db;
    this.ring = ring;
  }

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    const uid = payload.uid as string;
    const uidDigest = digest(uid);
    const {
      version: read,
      readAs,
      readSignIn,
      seenAt: _seenAt,
      jti: _jti,
      exp: _exp,
      ...kept
    } = payload as AdapterPayload & ReadSession;
    let version = read ?? 0;
    let mine: AdapterPayload = kept;

    let idDigest = digest(id);
    const signIn = signInOf(mine);
    // Only what hands a sign-in over asks whether it still stands; the session that it has made goes on without it.
    const handedOver = signIn === readSignIn ? null : (signIn ?? null);
    const isRenamed = readAs !== undefined && digest(readAs) !== idDigest;

    for (let attempt = 0; attempt < 50; attempt += 1) {
      const now = this.db.clock.now();
      const write = { ...this.write(idDigest, uidDigest, mine, now), signInDigest: handedOver };
      if (
        version === 0
          ? await createSession(this.db, write, now)
          : await replaceSession(this.db, write, version, now)
      ) {
        (payload as ReadSession).version = version + 1;
        return;
      }
      const row = await sessionRow(this.db, uidDigest);
      if (!row || row.ended_at !== null || row.version === version) {
        throw new errors.SessionNotFound('the session has ended');
      }
      const theirs = this.payloadOf(row);
      if (theirs.accountId !== mine.accountId) {
        throw new errors.SessionNotFound('the session has changed');
      }
      const newest = finishedAt(theirs) > finishedAt(mine) ? theirs : mine;
      mine = {
        ...newest,
        authorizations: {
          ...(theirs.authorizations as object | undefined),
          ...(mine.authorizations as object | undefined),
        },
      } as AdapterPayload;
      version = row.version;
      // A request that did not change the identifier must not bring an old one back: a thief may still hold it.
      if (!isRenamed && row.id_digest !== null) {
        idDigest = row.id_digest;
      }
      await sleep(randomInt(20));
    }
    throw new errors.TemporarilyUnavailable('the session is busy');
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const row = await sessionById(this.db, digest(id), this.db.clock.now());
    return row ? { ...this.payloadOf(row), jti: id, readAs: id } : undefined;
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const uidDigest = digest(uid);
    const row =
      sessionsAhead.take(uidDigest) ?? (await sessionByUid(this.db, uidDigest, this.db.clock.now()));
    return row ? this.payloadOf(row) : undefined;
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async consume(): Promise<void> {
    throw new TypeError('a session is not consumed');
  }

  /** oidc-provider calls this for every change of the identifier too; what ends a session is `endSession`. */
  async destroy(id: string): Promise<void> {
    await retireSessionId(this.db, digest(id));
  }

  async revokeByGrantId(): Promise<void> {}

  private write(idDigest: string, uidDigest: string, payload: AdapterPayload, now: Date) {
    const proved = payload.proved as { startedAt?: number } | undefined;
    const startedAt = proved?.startedAt === undefined ? now : new Date(proved.startedAt);
    const idleEnd = after(now, sessionIdle);
    const absoluteEnd = after(startedAt, sessionAbsolute);
    return {
      uidDigest,
      idDigest,
      accountId: (payload.accountId as string | undefined) ?? null,
      payload: seal(
        this.ring,
        { table: 'sessions', column: 'payload', row: uidDigest },
        JSON.stringify(payload),
      ),
      startedAt,
      expiresAt: new Date(Math.min(idleEnd.getTime(), absoluteEnd.getTime())),
    };
  }

  private payloadOf(row: SessionRow): AdapterPayload {
    const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
    const payload = JSON.parse(open(this.ring, place, row.payload)) as AdapterPayload;
    return {
      ...payload,
      version: row.version,
      readSignIn: signInOf(payload),
      seenAt: row.seen_at,
      exp: localEpoch(row.expires_at, this.db.clock.now()),
    };
  }
}

/** What a session's payload says of the row that it was read from. */
interface ReadSession {
  version?: number;
  /** The identifier under which it was found; a sign-in gives it another. */
  readAs?: string;
  /** The sign-in that it came from. */
  readSignIn?: string | undefined;
  /** When it was used last. */
  seenAt?: number;
}

/** When the sign-in that a session's copy knows of was finished. */
function finishedAt(payload: AdapterPayload): number {
  return (payload.proved as { finishedAt?: number } | undefined)?.finishedAt ?? 0;
}

const signInOf = (payload: AdapterPayload): string | undefined =>
  (payload.proved as { signIn?: string } | undefined)?.signIn;
