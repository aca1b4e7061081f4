import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { digest } from '../../lib/digest.ts';

/** A browser that was made an approver, as far as its key goes; what a page's script does with WebCrypto. */
export class Approver {
  readonly publicKey: string;
  readonly keyId: string;
  readonly #key: KeyObject;

  constructor(namedCurve = 'P-256') {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    this.publicKey = publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
    this.keyId = digest(this.publicKey);
    this.#key = privateKey;
  }

  sign(text: string): string {
    const key = { key: this.#key, dsaEncoding: 'ieee-p1363' as const };
    return sign('sha256', Buffer.from(text, 'utf8'), key).toString('base64url');
  }

  /** Answers a set-up page. */
  setUp(toSign: string): string {
    return JSON.stringify({ publicKey: this.publicKey, signature: this.sign(toSign) });
  }

  /** Answers a sign-in in its own browser. */
  here(toSign: string): string {
    return JSON.stringify({ keyId: this.keyId, signature: this.sign(toSign) });
  }

  /** Says yes to a sign-in elsewhere, with the number that was picked. */
  approve(toSign: string, number: number): string {
    const said = JSON.parse(toSign) as unknown[];
    return this.here(JSON.stringify([...said.slice(0, -1), number]));
  }
}
