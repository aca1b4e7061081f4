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
import {
  applicationsAhead,
  grantsAhead,
  liveInteraction,
  liveToken,
  sessionsAhead,
  signInsAhead,
} from '../entities/records-beside.ts';
import { after, seconds } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';

/** What rests on these is read together with them; the library asks for it next. */
const tokens = new Set(['AuthorizationCode', 'AccessToken', 'RefreshToken']);

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
    const { jti, exp: _exp, holder: _holder, ...others } = payload;
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
      sessionDigest: typeof payload.sessionUid === 'string' ? digest(payload.sessionUid) : null,
      clientId: this.model === 'Interaction' ? clientOf(payload) : null,
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
    const idDigest = digest(id);
    if (this.model === 'Interaction') return this.findInteraction(id, idDigest);
    if (tokens.has(this.model)) return this.findToken(id, idDigest);
    const ahead = this.model === 'Grant' ? grantsAhead.take(idDigest) : undefined;
    // A pushed request that has expired meanwhile must still be seen as used; the library judges its expiry itself.
    const at = this.model === 'PushedAuthorizationRequest' ? new Date(0) : this.db.clock.now();
    const row = ahead ?? (await liveRecord(this.db, this.model, idDigest, at));
    return row ? { ...this.payloadOf(row), jti: id } : undefined;
  }

  /** The result of a sign-in lets somebody in only while that sign-in was not dropped: by a new password, say. */
  private async findInteraction(id: string, idDigest: string): Promise<AdapterPayload | undefined> {
    const now = this.db.clock.now();
    const found = await liveInteraction(this.db, idDigest, now);
    if (!found) {
      return undefined;
    }
    const payload = { ...this.payloadOf(found.interaction), jti: id };
    const { signIn, application } = found;
    if (application) {
      applicationsAhead.keep(application.client_id, application);
    }
    if ((payload.result as { login?: unknown } | undefined)?.login === undefined) {
      signInsAhead.keep(idDigest, signIn);
      return payload;
    }
    return signIn !== null && signIn.dead === 0 && signIn.expires_at > now.getTime() ? payload : undefined;
  }

  private async findToken(id: string, idDigest: string): Promise<AdapterPayload | undefined> {
    const found = await liveToken(this.db, this.model, idDigest, this.db.clock.now());
    if (!found) {
      return undefined;
    }
    const { token, grant, session, holder } = found;
    if (grant) grantsAhead.keep(grant.id_digest, grant);
    // Its grant was ended while it was being given: the library asks for that at some places, and our own API nowhere.
    else if (token.grant_digest !== null) return undefined;
    const payload = { ...this.payloadOf(token), jti: id, holder };
    // The library asks for the session of no other.
    if (session && payload.expiresWithSession === true) sessionsAhead.keep(session.uid_digest, session);
    return payload;
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

/** The application that a sign-in under way is for. */
function clientOf(interaction: AdapterPayload): string | null {
  const { client_id: clientId } = (interaction.params ?? {}) as { client_id?: unknown };
  return typeof clientId === 'string' ? clientId : null;
}

/** A moment of the database's clock in seconds of this machine's clock. */
export function localEpoch(moment: number, now: Date): number {
  return Math.floor(Date.now() / 1000) + Math.ceil((moment - now.getTime()) / 1000);
}
