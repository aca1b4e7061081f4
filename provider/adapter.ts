import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Database } from '../entities/database.ts';
import {
  consumeRecord,
  createRecord,
  destroyRecord,
  destroyRecordsOfGrant,
  liveRecord,
  liveRecordByUserCode,
  type ProviderRecordRow,
  replaceRecord,
} from '../entities/provider-records.ts';
import { signInByUid } from '../entities/sign-ins.ts';
import { after, seconds } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';

/**
 * oidc-provider's storage of everything but sessions and clients.
 *
 * Identifiers are stored as digests and payloads sealed, so a copy of the database holds no usable code or token (trap F12).
 * `consume`, and `destroy` of an interaction, are decided by the write: one caller ever succeeds (traps F1, F7). What was
 * destroyed is never created again. Expiry is judged by the database's clock; payloads are handed to oidc-provider with the
 * expiry as it looks on this machine's own clock, so machines whose clocks differ agree.
 */
export class RecordAdapter implements Adapter {
  private readonly model: string;
  private readonly db: Database;
  private readonly ring: KeyRing;

  constructor(model: string, db: Database, ring: KeyRing) {
    this.model = model;
    this.db = db;
    this.ring = ring;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const { jti, exp: _exp, ...others } = payload;
    // A device's code is found by what a person types, and saved again under its own identifier.
    const kept: AdapterPayload = typeof payload.userCode === 'string' ? { ...others, jti } : others;
    // An interaction names its session by the value of its cookie, and nothing reads that.
    const session = kept.session
      ? { ...(kept.session as Record<string, unknown>), cookie: undefined }
      : undefined;
    const idDigest = digest(id);
    const now = this.db.clock.now();
    const write = {
      model: this.model,
      idDigest,
      grantDigest: typeof payload.grantId === 'string' ? digest(payload.grantId) : null,
      userCodeDigest: typeof payload.userCode === 'string' ? digest(payload.userCode) : null,
      accountId: typeof payload.accountId === 'string' ? payload.accountId : null,
      payload: seal(this.ring, this.place(idDigest), JSON.stringify(session ? { ...kept, session } : kept)),
      expiresAt: expiresIn === undefined ? null : after(now, seconds(expiresIn)),
    };
    // An interaction's result is written to one that is there already.
    const isNew = payload.result === undefined;
    if (isNew && (await createRecord(this.db, write, now))) {
      return;
    }
    if (this.model === 'ReplayDetection') {
      throw new errors.InvalidRequest('the assertion was used already');
    }
    if (!(await replaceRecord(this.db, write))) {
      throw new errors.SessionNotFound('this request has ended already');
    }
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    // A pushed request that has expired meanwhile must still be seen as used; the library judges its expiry itself.
    const at = this.model === 'PushedAuthorizationRequest' ? new Date(0) : this.db.clock.now();
    const row = await liveRecord(this.db, this.model, digest(id), at);
    const payload = row ? { ...this.payloadOf(row), jti: id } : undefined;
    return payload && (await this.mayHandOver(id, payload)) ? payload : undefined;
  }

  /** The result of a sign-in lets somebody in only while that sign-in was not dropped: by a new password, say. */
  private async mayHandOver(id: string, { result }: AdapterPayload): Promise<boolean> {
    if (this.model !== 'Interaction' || (result as { login?: unknown } | undefined)?.login === undefined) {
      return true;
    }
    const signIn = await signInByUid(this.db, digest(id));
    return signIn !== null && signIn.dead === 0 && signIn.expires_at > this.db.clock.now().getTime();
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    const row = await liveRecordByUserCode(this.db, this.model, digest(userCode), this.db.clock.now());
    return row ? this.payloadOf(row) : undefined;
  }

  async findByUid(): Promise<undefined> {
    return undefined;
  }

  /** @throws errors.InvalidGrant for all but the first, and ends everything that the grant gave (RFC 9700 §4.14.2, RFC 6749 §4.1.2) */
  async consume(id: string): Promise<void> {
    const now = this.db.clock.now();
    const idDigest = digest(id);
    if (await consumeRecord(this.db, this.model, idDigest, now)) {
      return;
    }
    const row = await liveRecord(this.db, this.model, idDigest, now);
    if (row?.grant_digest) {
      await destroyRecordsOfGrant(this.db, row.grant_digest, now);
    }
    throw new errors.InvalidGrant('it was used already');
  }

  async destroy(id: string): Promise<void> {
    const first = await destroyRecord(this.db, this.model, digest(id), this.db.clock.now());
    if (!first && this.model === 'Interaction') {
      throw new errors.SessionNotFound('this sign-in was finished already');
    }
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await destroyRecordsOfGrant(this.db, digest(grantId), this.db.clock.now(), this.model);
  }

  private place(idDigest: string) {
    return { table: 'provider_records', column: 'payload', row: `${this.model} ${idDigest}` };
  }

  private payloadOf(row: ProviderRecordRow): AdapterPayload {
    const payload = JSON.parse(open(this.ring, this.place(row.id_digest), row.payload)) as AdapterPayload;
    if (row.expires_at !== null) {
      payload.exp = localEpoch(row.expires_at, this.db.clock.now());
    }
    if (row.consumed_at !== null) {
      payload.consumed = Math.floor(row.consumed_at / 1000);
    }
    return payload;
  }
}

/** A moment of the database's clock in seconds of this machine's clock. */
export function localEpoch(moment: number, now: Date): number {
  return Math.floor(Date.now() / 1000) + Math.ceil((moment - now.getTime()) / 1000);
}
