import { createHmac, randomBytes } from 'node:crypto';
import { ScureBase32Plugin } from 'otplib';
import { createPasswords } from '../lib/password-hash.ts';
import { createWorkQueue } from '../lib/work-queue.ts';

export interface Person {
  readonly email: string;
  /** Base32. */
  readonly totp: string;
}

export interface People {
  readonly password: string;
  /** Everybody's, in PHC form at today's cost: what a check costs is the same for all. */
  readonly passwordHash: string;
  readonly list: readonly Person[];
}

export const redirectUri = 'http://127.0.0.1:9/cb';
export const clientId = 'bench';
export const clientSecret = 'bench-secret';

const base32 = new ScureBase32Plugin();

export async function makePeople(count: number): Promise<People> {
  const password = 'correct horse battery staple';
  const passwordHash = await createPasswords(createWorkQueue()).hash(password);
  const list = Array.from({ length: count }, (_, n) => ({
    email: `person-${n}@bench.test`,
    totp: base32.encode(randomBytes(20)),
  }));
  return { password, passwordHash, list };
}

/** What `sallyport apply` is given: everybody with an authenticator app, in one organization that requires it of all. */
export const configurationFor = ({ passwordHash, list }: People): string =>
  JSON.stringify({
    organizations: [
      { slug: 'bench', name: 'Bench', policy: { requirement: 'required_for_all', graceDays: 0 } },
    ],
    users: list.map(({ email, totp }) => ({
      email,
      name: email,
      passwordHash,
      emailVerified: true,
      memberships: [{ organization: 'bench', role: 'member' }],
      factors: { totp },
    })),
    applications: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        name: 'Bench',
        organization: 'bench',
        firstParty: true,
        redirect_uris: [redirectUri],
      },
    ],
  });

export const stepAt = (now: number): number => Math.floor(now / 30_000);

/** RFC 6238, written apart from the servers that check it. */
export function codeFor({ totp }: Person, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', base32.decode(totp)).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Hands out people so that nobody signs in twice within one time step: their code would be a used one. */
export function createTurns(list: readonly Person[]): () => Promise<{ person: Person; step: number }> {
  const lastStep = new Map<Person, number>();
  let turn = 0;
  return async () => {
    const person = list[turn % list.length] as Person;
    turn += 1;
    const last = lastStep.get(person);
    while (last === stepAt(Date.now())) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const step = stepAt(Date.now());
    lastStep.set(person, step);
    return { person, step };
  };
}
