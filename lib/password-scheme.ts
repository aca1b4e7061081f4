import type { Argon2Cost, Argon2Type } from './argon2.ts';

/** How a stored password hash was made, and what came out. */
export type PasswordScheme =
  | {
      readonly kind: 'argon2';
      readonly type: Argon2Type;
      readonly cost: Argon2Cost;
      readonly salt: Buffer;
      readonly tag: Buffer;
    }
  | {
      readonly kind: 'pbkdf2';
      readonly hash: 'sha1' | 'sha256' | 'sha512';
      readonly iterations: number;
      readonly salt: Buffer;
      readonly tag: Buffer;
    }
  | { readonly kind: 'bcrypt'; readonly salt: string; readonly tag: string };

// Who may import hashes must not be able to stop the server with one: these bounds keep a check below some seconds.
const most = {
  memory: 256 * 1024,
  passes: 20,
  memoryPasses: 2 * 1024 * 1024,
  parallelism: 64,
  iterations: 2_000_000,
  bcryptCost: 14,
  text: 1024,
  salt: 128,
  tag: 128,
};
// A short tag would match many passwords, an empty one all of them.
const leastTag = 16;
// RFC 9106, 3.1, as OpenSSL enforces it.
const leastArgon2Salt = 8;

/**
 * Reads `$argon2id$…`, `$argon2i$…`, `$argon2d$…` (version 1.3), `$2a$…`, `$2b$…`, `$2y$…` and `$pbkdf2…$…`
 * (`-sha1`, `-sha256`, `-sha512`; parameters `i=…,l=…` or, as passlib writes them, the number alone).
 * Otherwise one sentence that says why not, without any of the hash.
 */
export function readPasswordScheme(text: string): PasswordScheme | string {
  if (text.length > most.text) return `is longer than ${most.text} characters`;
  if (/^\$2[abxy]?\$/.test(text)) return readBcrypt(text);
  if (/^\$argon2(id|i|d)\$/.test(text)) return readArgon2(text);
  if (/^\$pbkdf2(-sha1|-sha256|-sha512)?\$/.test(text)) return readPbkdf2(text);
  return 'is no argon2, bcrypt or PBKDF2 hash in PHC form';
}

/** True: can be checked. Otherwise one sentence that says why not, without any of the hash. */
export function isPasswordHash(text: string): true | string {
  const scheme = readPasswordScheme(text);
  return typeof scheme === 'string' ? scheme : true;
}

/**
 * The PHC form of a password credential as Keycloak exports it: `{ type, secretData, credentialData }`, both of
 * the latter JSON texts (or already read). Throws a `TypeError` that says why not, without any of the hash.
 */
export function fromKeycloak(credential: unknown): string {
  const outer = object(credential, 'the credential');
  const secret = object(outer.secretData, 'secretData');
  const data = object(outer.credentialData, 'credentialData');
  const salt = base64(secret.salt, 'secretData.salt');
  const value = base64(secret.value, 'secretData.value');
  const iterations = number(data.hashIterations, 'credentialData.hashIterations');

  const phc = toPhc(data, iterations, salt, value);
  const scheme = readPasswordScheme(phc);
  if (typeof scheme === 'string') throw new TypeError(`the password hash ${scheme}`);
  return phc;
}

function toPhc(data: Fields, iterations: number, salt: Buffer, value: Buffer): string {
  const end = `${unpadded(salt)}$${unpadded(value)}`;
  const algorithm = String(data.algorithm);
  if (/^pbkdf2(-sha256|-sha512)?$/.test(algorithm)) {
    return `$${algorithm}$i=${iterations},l=${value.length}$${end}`;
  }
  if (algorithm !== 'argon2') throw new TypeError('credentialData.algorithm is neither argon2 nor PBKDF2');

  const more = object(data.additionalParameters, 'credentialData.additionalParameters');
  const one = (name: string): unknown => {
    const field = more[name];
    return Array.isArray(field) ? field[0] : field;
  };
  if (one('version') !== '1.3') throw new TypeError('the argon2 version is not 1.3');
  if (!['id', 'i', 'd'].includes(String(one('type'))))
    throw new TypeError('the argon2 type is not id, i or d');
  const memory = number(one('memory'), 'the argon2 memory');
  const parallelism = number(one('parallelism'), 'the argon2 parallelism');
  return `$argon2${one('type')}$v=19$m=${memory},t=${iterations},p=${parallelism}$${end}`;
}

function readBcrypt(text: string): PasswordScheme | string {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text) ?? [];
  if (cost === undefined) return 'is no complete bcrypt hash ($2a$, $2b$ or $2y$)';
  if (Number(cost) < 4) return 'has a bcrypt cost below 4';
  if (Number(cost) > most.bcryptCost) return `has a bcrypt cost above ${most.bcryptCost}`;
  return { kind: 'bcrypt', salt: text.slice(0, 29), tag: text.slice(29) };
}

function readArgon2(text: string): PasswordScheme | string {
  const [, type, version, parameters, ...rest] = text.split('$');
  if (version !== 'v=19') return 'is not of argon2 version 1.3 (v=19)';
  const end = readEnd(rest);
  if (typeof end === 'string') return end;
  if (end.salt.length < leastArgon2Salt) return `has a salt of less than ${leastArgon2Salt} bytes`;

  const { m: memory, t: passes, p: parallelism, ...unknown } = readParameters(parameters ?? '');
  if (Object.keys(unknown).length > 0) return 'has argon2 parameters other than m, t and p';
  if (!memory || !passes || !parallelism) return 'lacks one of the argon2 parameters m, t and p';
  if (parallelism > most.parallelism) return `asks for more than ${most.parallelism} lanes`;
  if (memory < 8 * parallelism) return 'has less memory than 8 KiB for each lane';
  if (memory > most.memory) return `asks for more than ${most.memory} KiB of memory`;
  if (passes > most.passes) return `asks for more than ${most.passes} passes`;
  if (memory * passes > most.memoryPasses) return `asks for more than ${most.memoryPasses} KiB times passes`;
  return { kind: 'argon2', type: type as Argon2Type, cost: { memory, passes, parallelism }, ...end };
}

function readPbkdf2(text: string): PasswordScheme | string {
  const [, id, parameters = '', ...rest] = text.split('$');
  const end = readEnd(rest);
  if (typeof end === 'string') return end;

  const { i: iterations, l: length = end.tag.length } = /^\d{1,9}$/.test(parameters)
    ? { i: Number(parameters) }
    : readParameters(parameters);
  if (!iterations) return 'has no number of iterations';
  if (iterations > most.iterations) return `asks for more than ${most.iterations} iterations`;
  if (length !== end.tag.length) return `is not as long as its l says`;
  return { kind: 'pbkdf2', hash: hashes[id as keyof typeof hashes], iterations, ...end };
}

const hashes = {
  pbkdf2: 'sha1',
  'pbkdf2-sha1': 'sha1',
  'pbkdf2-sha256': 'sha256',
  'pbkdf2-sha512': 'sha512',
} as const;

/** Salt and tag, in base64 with or without padding; passlib writes `.` for `+`. */
function readEnd(rest: readonly string[]): { salt: Buffer; tag: Buffer } | string {
  const [salt, tag] = rest.map((part) =>
    /^[A-Za-z0-9+/.]+={0,2}$/.test(part) ? Buffer.from(part.replaceAll('.', '+'), 'base64') : Buffer.alloc(0),
  );
  if (rest.length !== 2 || !salt?.length || !tag?.length) return 'does not end in salt and hash in base64';
  if (salt.length > most.salt) return `has a salt of more than ${most.salt} bytes`;
  if (tag.length < leastTag) return `has a hash of less than ${leastTag} bytes`;
  if (tag.length > most.tag) return `has a hash of more than ${most.tag} bytes`;
  return { salt, tag };
}

function readParameters(text: string): { [name: string]: number } {
  const parameters: { [name: string]: number } = Object.create(null);
  for (const part of text.split(',')) {
    const [, name, value] = /^([a-z]{1,32})=(\d{1,9})$/.exec(part) ?? [];
    parameters[name ?? part] = Number(value ?? 0);
  }
  return parameters;
}

type Fields = { readonly [name: string]: unknown };

function object(value: unknown, name: string): Fields {
  const read = typeof value === 'string' ? parse(value) : value;
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    throw new TypeError(`${name} is not an object or its JSON`);
  }
  return read as Fields;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function base64(value: unknown, name: string): Buffer {
  if (typeof value === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(value)) return Buffer.from(value, 'base64');
  throw new TypeError(`${name} is not base64`);
}

function number(value: unknown, name: string): number {
  if (/^\d{1,9}$/.test(String(value))) return Number(value);
  throw new TypeError(`${name} is not a whole number`);
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
