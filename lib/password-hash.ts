import { pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { type Argon2Cost, stretch } from './argon2.ts';
import { type Bcrypt, createBcrypt } from './bcrypt.ts';
import { type PasswordScheme, readPasswordScheme } from './password-scheme.ts';
import type { WorkQueue } from './work-queue.ts';

export { fromKeycloak, isPasswordHash } from './password-scheme.ts';

/** In code points of the NFC form, as all lengths here (NIST SP 800-63B-4, 3.1.1.2). */
export const minPasswordLength = 8;
export const maxPasswordLength = 1024;

export interface Verified {
  readonly ok: boolean;
  /** The password was right and should be hashed again: the stored hash is of another kind, weaker, or of another form of the text. */
  readonly needsRehash: boolean;
}

export interface Passwords {
  /** `$argon2id$…` in PHC form. Throws a `RangeError` for what `passwordProblem` calls too long or not text. */
  hash(password: string): Promise<string>;
  /** Not ok for a wrong password and for a hash that cannot be read; null (nobody to compare with) takes as long. */
  verify(hash: string | null, password: string): Promise<Verified>;
  /** Takes as long as `verify`, for accounts that do not exist. */
  dummyVerify(password: string): Promise<Verified>;
}

/** What stands against a new password; null where nothing does. Cheap, so that it can be asked before anything is hashed. */
export function passwordProblem(password: string): 'too_short' | 'too_long' | 'not_text' | null {
  if (isBeyondHashing(password)) return 'too_long';
  // Unpaired surrogates all become U+FFFD in UTF-8: different passwords would be one.
  if (!password.isWellFormed()) return 'not_text';
  const length = [...password.normalize('NFC')].length;
  if (length > maxPasswordLength) return 'too_long';
  if (length < minPasswordLength) return 'too_short';
  return null;
}

/** Hashes and checks passwords in the queue, so that many sign-ins at once wait or get `Overloaded` instead of stopping everything. */
export function createPasswords(queue: WorkQueue): Passwords {
  const bcrypt = createBcrypt();
  const nobody: PasswordScheme = {
    kind: 'argon2',
    type: 'argon2id',
    cost: queue.cost,
    salt: randomBytes(16),
    tag: Buffer.alloc(32),
  };

  const verify = async (hash: string | null, password: string): Promise<Verified> => {
    if (!canBeHashed(password)) return wrong;
    const scheme = hash === null ? nobody : readPasswordScheme(hash);
    const readable = typeof scheme !== 'string';
    const verified = await queue.run(() => check(bcrypt, readable ? scheme : nobody, password, queue.cost));
    return readable && scheme !== nobody ? verified : wrong;
  };

  return {
    async hash(password) {
      if (!canBeHashed(password)) throw new RangeError('the password was to be checked before it is hashed');
      const salt = randomBytes(16);
      const tag = await queue.run(() => stretch(password.normalize('NFC'), salt, { cost: queue.cost }));
      const { memory, passes, parallelism } = queue.cost;
      return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
    },
    verify,
    dummyVerify: (password) => verify(null, password),
  };
}

const wrong: Verified = { ok: false, needsRehash: false };

const derivePbkdf2 = promisify(pbkdf2);

// Before any work is done on the text: NFC can make it shorter, at most by this much.
const isBeyondHashing = (password: string): boolean => password.length > 4 * maxPasswordLength;

const canBeHashed = (password: unknown): password is string =>
  typeof password === 'string' && [null, 'too_short'].includes(passwordProblem(password));

/** Imported hashes were made of the bytes as somebody typed them; ours of the NFC form. */
async function check(
  bcrypt: Bcrypt,
  scheme: PasswordScheme,
  typed: string,
  current: Argon2Cost,
): Promise<Verified> {
  const normalized = typed.normalize('NFC');
  if (await matches(bcrypt, scheme, normalized))
    return { ok: true, needsRehash: isOutdated(scheme, current) };
  if (typed === normalized) return wrong;
  return (await matches(bcrypt, scheme, typed)) ? { ok: true, needsRehash: true } : wrong;
}

async function matches(bcrypt: Bcrypt, scheme: PasswordScheme, password: string): Promise<boolean> {
  switch (scheme.kind) {
    case 'argon2':
      return timingSafeEqual(
        await stretch(password, scheme.salt, {
          type: scheme.type,
          cost: scheme.cost,
          tagLength: scheme.tag.length,
        }),
        scheme.tag,
      );
    case 'pbkdf2': {
      const bytes = Buffer.from(password, 'utf8');
      const { salt, iterations, tag, hash } = scheme;
      const same = timingSafeEqual(await derivePbkdf2(bytes, salt, iterations, tag.length, hash), tag);
      // HMAC pads its key with NUL, so a password and the same one followed by NULs have one hash.
      return same && !password.endsWith('\0');
    }
    case 'bcrypt': {
      const hash = await bcrypt(password, scheme.salt);
      const same = timingSafeEqual(Buffer.from(hash.slice(-scheme.tag.length)), Buffer.from(scheme.tag));
      // bcrypt reads 72 bytes and repeats its key after a NUL. Whoever made the hash of a longer password saw only
      // its beginning; taking that for the whole would accept passwords that nobody chose (NIST SP 800-63B-4,
      // 3.1.1.2: verify the entire password). So such a password is refused and has to be reset.
      return same && Buffer.byteLength(password, 'utf8') <= 72 && !password.includes('\0');
    }
  }
}

/** The product of memory and passes is what an attacker pays; OWASP's list of equal choices goes down to 7 MiB. */
function isOutdated(scheme: PasswordScheme, current: Argon2Cost): boolean {
  if (scheme.kind !== 'argon2' || scheme.type !== 'argon2id') return true;
  const { memory, passes } = scheme.cost;
  const isWeaker =
    memory < Math.min(7 * 1024, current.memory) || memory * passes < current.memory * current.passes;
  return isWeaker || scheme.salt.length < 16 || scheme.tag.length < 32;
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
