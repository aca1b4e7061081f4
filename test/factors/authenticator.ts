import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import type { Attester } from './maker.ts';

type CBOR = Parameters<typeof isoCBOR.encode>[0];

/** What one ceremony says other than an honest browser and authenticator would. */
export interface Lies {
  /** Over the browser's own words: `type`, `challenge`, `origin`, `crossOrigin`, `topOrigin`. */
  readonly clientData?: Readonly<Record<string, unknown>>;
  readonly rpId?: string;
  readonly up?: boolean;
  readonly uv?: boolean;
  readonly be?: boolean;
  readonly bs?: boolean;
  readonly counter?: number;
  /** The account that is named, in plain text; null for none. */
  readonly userHandle?: string | null;
  readonly id?: string;
  readonly rawId?: string;
  /** Which credential is used, where it is not one that the server named. */
  readonly credentialId?: string;
  readonly key?: KeyObject;
  /** What is said of the authenticator itself; `self` is signed by the new key. */
  readonly attestation?: 'self' | Attester | { readonly fmt: string; readonly attStmt: CBOR };
  /** Over the parts of the answer: bytes before they are signed over, where they are signed. */
  readonly authData?: (honest: Buffer) => Buffer;
  readonly after?: (response: Record<string, string>) => Record<string, unknown>;
}

export interface Credential {
  readonly id: string;
  readonly rpId: string;
  readonly userHandle: string;
  readonly key: KeyObject;
  counter: number;
}

interface Options {
  readonly challenge: string;
  readonly rpId?: string;
  readonly rp?: { readonly id?: string };
  readonly user?: { readonly id: string };
  readonly allowCredentials?: readonly { readonly id: string }[];
}

/**
 * A browser with an authenticator in it, without either: ES256, attestation `none`. It does as it is told, so that every lie can be
 * told to the server.
 */
export class Authenticator {
  readonly origin: string;
  readonly credentials: Credential[] = [];
  /** Whether its keys can be copied (flags BE and BS), whether it asks for finger or PIN (UV), and whether it counts. */
  readonly #synced: boolean;
  readonly #verifies: boolean;
  readonly #counts: boolean;

  constructor(origin: string, { synced = false, verifies = true, counts = true } = {}) {
    this.origin = origin;
    this.#synced = synced;
    this.#verifies = verifies;
    this.#counts = counts;
  }

  /** What a form sends after `navigator.credentials.create`. */
  create(asked: string, lies: Lies = {}): string {
    const options = JSON.parse(asked) as Options;
    const key = lies.key ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const credential: Credential = {
      id: lies.credentialId ?? randomBytes(32).toString('base64url'),
      rpId: options.rp?.id ?? '',
      userHandle: Buffer.from(options.user?.id ?? '', 'base64url').toString(),
      key,
      counter: 0,
    };
    this.credentials.push(credential);
    const maker =
      lies.attestation instanceof Object && 'certificates' in lies.attestation ? lies.attestation : null;
    const id = Buffer.from(credential.id, 'base64url');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const cose = Buffer.from(isoCBOR.encode(coseOf(createPublicKey(key))));
    const authData = Buffer.concat([
      this.#authData(credential, lies, 0x40),
      maker ? Buffer.from(maker.model.replaceAll('-', ''), 'hex') : Buffer.alloc(16),
      length,
      id,
      cose,
    ]);
    const said = lies.authData?.(authData) ?? authData;
    const clientData = this.#clientData('webauthn.create', options, lies);
    const signature = new Uint8Array(signed(key, said, clientData));
    const self = {
      fmt: 'packed',
      attStmt: new Map<string, CBOR>([
        ['alg', -7],
        ['sig', signature],
      ]),
    };
    const none = { fmt: 'none', attStmt: new Map<string, CBOR>() };
    const byMaker = maker && {
      fmt: 'packed',
      attStmt: new Map<string, CBOR>([
        ['alg', -7],
        ['sig', new Uint8Array(signed(maker.key, said, clientData))],
        ['x5c', [...maker.certificates]],
      ]),
    };
    const told = lies.attestation instanceof Object && 'fmt' in lies.attestation ? lies.attestation : none;
    const { fmt, attStmt } = lies.attestation === 'self' ? self : (byMaker ?? told);
    const attestation = new Map<string, CBOR>([
      ['fmt', fmt],
      ['attStmt', attStmt],
      ['authData', new Uint8Array(said)],
    ]);
    return this.#answer(credential, lies, {
      clientDataJSON: clientData.toString('base64url'),
      attestationObject: Buffer.from(isoCBOR.encode(attestation)).toString('base64url'),
    });
  }

  /** What a form sends after `navigator.credentials.get`. */
  get(asked: string, lies: Lies = {}): string {
    const options = JSON.parse(asked) as Options;
    const named = options.allowCredentials;
    const credential = this.credentials.find(({ id, rpId }) =>
      lies.credentialId
        ? id === lies.credentialId
        : named
          ? named.some((one) => one.id === id)
          : rpId === options.rpId,
    );
    if (!credential) throw new Error('the authenticator has no passkey for this');
    if (this.#counts) credential.counter += 1;
    const honest = this.#authData(credential, lies, 0);
    const authData = lies.authData?.(honest) ?? honest;
    const clientData = this.#clientData('webauthn.get', options, lies);
    const handle = lies.userHandle === undefined ? credential.userHandle : lies.userHandle;
    return this.#answer(credential, lies, {
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: signed(lies.key ?? credential.key, authData, clientData).toString('base64url'),
      ...(handle === null ? {} : { userHandle: Buffer.from(handle).toString('base64url') }),
    });
  }

  #clientData(type: string, { challenge }: Options, lies: Lies): Buffer {
    const said = { type, challenge, origin: this.origin, crossOrigin: false, ...lies.clientData };
    return Buffer.from(JSON.stringify(said));
  }

  #authData(credential: Credential, lies: Lies, more: number): Buffer {
    const { up = true, uv = this.#verifies, be = this.#synced, bs = this.#synced } = lies;
    const flags = (up ? 1 : 0) | (uv ? 4 : 0) | (be ? 8 : 0) | (bs ? 16 : 0) | more;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.counter ?? credential.counter);
    const rpIdHash = createHash('sha256')
      .update(lies.rpId ?? credential.rpId)
      .digest();
    return Buffer.concat([rpIdHash, Buffer.from([flags]), counter]);
  }

  #answer({ id }: Credential, lies: Lies, response: Record<string, string>): string {
    return JSON.stringify({
      id: lies.id ?? id,
      rawId: lies.rawId ?? lies.id ?? id,
      type: 'public-key',
      clientExtensionResults: {},
      response: lies.after?.(response) ?? response,
    });
  }
}

/** One bit of a base64url text is another. */
export function flipped(text: string, bit = 0): string {
  const bytes = Buffer.from(text, 'base64url');
  bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return bytes.toString('base64url');
}

const signed = (key: KeyObject, authData: Buffer, clientData: Buffer): Buffer =>
  sign('sha256', Buffer.concat([authData, createHash('sha256').update(clientData).digest()]), key);

/** COSE_Key of an ES256 public key (RFC 9053, 7.1.1). */
function coseOf(key: KeyObject): CBOR {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
  return new Map<number, CBOR>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, bytes(x)],
    [-3, bytes(y)],
  ]);
}
