import { randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { isSupportedCountry } from 'libphonenumber-js/max';
import * as z from 'zod';

/** The checkout or installation: relative paths in settings start here. */
export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be a whole number from ${min} to ${max}`);

const onOff = z
  .enum(['0', '1', 'true', 'false', 'on', 'off'], 'must be 1 or 0')
  .transform((text) => text === '1' || text === 'true' || text === 'on');

const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `must be an address that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  });

const issuer = url('http:', 'https:')
  .refine((text) => !/[?#]/.test(text), 'must have no query and no fragment')
  .refine((text) => URL.canParse(text) && new URL(text).username === '', 'must not contain a user name')
  .refine(
    (text) => URL.canParse(text) && new URL(text).pathname === '/',
    'must have no path: Sallyport owns its whole host',
  )
  .transform((text) => text.replace(/\/+$/, ''));

/** Null where a `%` stands for nothing. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const databaseUrl = z
  .string()
  .refine(
    (text) => /^sqlite:.+/.test(text) || (/^mysql:\/\//.test(text) && URL.canParse(text)),
    'must be sqlite:<path> or mysql://user:password@host:3306/database',
  )
  // What another program takes for "with TLS" must not be read as "without".
  .refine(
    (text) => !/^mysql:\/\//.test(text) || !URL.canParse(text) || new URL(text).search === '',
    'must have nothing after a "?": TLS is asked for by DATABASE_TLS and DATABASE_CA',
  )
  .refine(
    (text) => !/^mysql:\/\//.test(text) || !URL.canParse(text) || decoded(new URL(text).href) !== null,
    'has a "%" that begins no character: in a name or password a "%" is written "%25"',
  );

const networks = z
  .string()
  .transform((text) => text.split(',').map((entry) => entry.trim()))
  .refine(
    (entries) =>
      entries.every((entry) => /^([0-9a-z]([0-9a-z.-]*[0-9a-z])?|[0-9a-f.:]+)(\/\d{1,3})?$/i.test(entry)),
    'must be networks (10.1.0.0/16), addresses or host names, comma-separated',
  );

/** A link that people can follow, whichever of both is given. */
const contact = z
  .string()
  .max(320)
  .refine(
    (text) => isMailAddress(text) || (URL.canParse(text) && new URL(text).protocol === 'https:'),
    'must be an e-mail address, or an address that starts with https://',
  )
  .transform((text) => (isMailAddress(text) ? `mailto:${text}` : new URL(text).href));

function isMailAddress(text: string): boolean {
  return /^[^<>@\s,;:?&"/]+@[^<>@\s,;:?&"/]+$/.test(text);
}

/** Twilio's own form as in contract.md: the account's id and token stand before the @. */
const smsUrl = url('http:', 'https:', 'twilio:');

/** Those where messages are cheap and pumping them for money is rare; others are a decision. */
const servedCountries = 'AT,AU,BE,CA,CH,CZ,DE,DK,ES,FI,FR,GB,GG,IE,IM,IT,JE,JP,LI,LU,NL,NO,NZ,PL,PT,SE,US';

const pem = (kind: string) =>
  z
    .string()
    .refine(
      (text) => new RegExp(`-----BEGIN ([A-Z]+ )*${kind}-----`).test(text),
      `must be a ${kind.toLowerCase()} in PEM form`,
    );

const certificates = z.string().transform((text, context): readonly string[] => {
  const found = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    if (found.length > 0 && found.every((pem) => new X509Certificate(pem).ca)) return found;
  } catch {
    // Said below.
  }
  context.issues.push({
    code: 'custom',
    message: 'must be certificates of authorities in PEM form',
    input: text,
  });
  return z.NEVER;
});

const countries = z.string().transform((text, context): 'all' | readonly string[] => {
  const words = text.split(',').map((word) => word.trim().toUpperCase());
  if (words.length === 1 && words[0] === 'ALL') return 'all';
  if (words.every((word) => isSupportedCountry(word))) return [...new Set(words)].sort();
  context.issues.push({
    code: 'custom',
    message: 'must be all, or countries of two letters with commas between them',
    input: text,
  });
  return z.NEVER;
});

/**
 * Every setting: its shape, its default in development and what it means. A default that is `null` means "not set";
 * in production a setting without `productionDefault` that has only a development default must be given.
 */
export const definitions = {
  ISSUER: {
    shape: issuer,
    development: 'http://localhost:3000',
    production: 'required',
    means: 'public address; never taken from a request header',
  },
  HOST: {
    shape: z.string().min(1),
    development: '127.0.0.1',
    production: '127.0.0.1',
    means: 'where it listens',
  },
  PORT: { shape: wholeNumber(0, 65535), development: '3000', production: '3000', means: 'where it listens' },
  DATABASE_URL: {
    shape: databaseUrl,
    development: 'sqlite:data/sallyport.sqlite',
    production: 'required',
    means:
      'sqlite:<path> (absolute, or relative to the project), or mysql://user:pw@host:3306/db (MySQL 8+, MariaDB 10.6+)',
  },
  DATABASE_TLS: {
    shape: onOff,
    development: null,
    production: null,
    means:
      '1: the line to MySQL or MariaDB is encrypted, and its certificate and name are verified; without it, 1 where DATABASE_CA is given and 0 where not',
  },
  DATABASE_CA: {
    shape: certificates,
    development: null,
    production: null,
    means:
      "certificates (PEM) of the authorities that the database server's must come from, mostly by DATABASE_CA_FILE; without it, those that Node trusts",
  },
  DATABASE_CERTIFICATE: {
    shape: pem('CERTIFICATE'),
    development: null,
    production: null,
    means:
      'certificate (PEM) that this server shows to a database that asks for one; mostly by DATABASE_CERTIFICATE_FILE',
  },
  DATABASE_KEY: {
    shape: pem('PRIVATE KEY'),
    development: null,
    production: null,
    means: 'private key (PEM) of DATABASE_CERTIFICATE; mostly by DATABASE_KEY_FILE',
  },
  DEMO: {
    shape: onOff,
    development: '1',
    production: '0',
    means: 'demo organization, users, mail inbox and relying party',
  },
  MAIL_URL: {
    shape: url('smtp:', 'smtps:'),
    development: null,
    production: 'required',
    means: 'smtp:// or smtps://; without it, mail goes to the development inbox at /dev/inbox',
  },
  MAIL_FROM: {
    shape: z
      .string()
      .min(3)
      .max(320)
      .regex(/^[^\r\n]+$/, 'must be one line')
      .regex(
        /^([^<>]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/,
        'must be one address, as in "Acme <no-reply@acme.test>"',
      ),
    development: 'Sallyport <sallyport@localhost>',
    production: 'required',
    means: 'sender of every mail',
  },
  CONTACT: {
    shape: contact,
    development: null,
    production: null,
    means:
      'e-mail address or https page of the people who run this site, shown to whoever cannot sign in and has no organization that could help',
  },
  SMS_URL: {
    shape: smsUrl,
    development: null,
    production: null,
    means: 'https://… webhook (POST JSON {to, text}) or twilio://SID:TOKEN@…?from=…',
  },
  OUTBOUND_ALLOW: {
    shape: networks,
    development: '127.0.0.0/8,::1,localhost',
    production: null,
    means:
      'private networks, addresses and host names, comma-separated, that requests to applications may reach (logout tokens, keys, shared signals)',
  },
  SMS_COUNTRIES: {
    shape: countries,
    development: servedCountries,
    production: servedCountries,
    means: 'countries that text messages may go to, as DE,AT,CH; or all',
  },
  SMS_PER_DAY: {
    shape: wholeNumber(0, 10_000_000),
    development: '1000',
    production: '1000',
    means: 'text messages that may be sent on one day, by all organizations together',
  },
  PASSKEY_ROOTS: {
    shape: certificates,
    development: null,
    production: null,
    means:
      'certificates (PEM) of makers who attest models of passkeys, for policies that list models; mostly by PASSKEY_ROOTS_FILE',
  },
  DATA_DIR: {
    shape: z.string().min(1),
    development: 'data',
    production: 'data',
    means: 'where the embedded database and the keys made at first start live',
  },
  SECRET_KEYS: {
    shape: z.string().min(1),
    development: null,
    production: 'required',
    means:
      'comma-separated key ring, newest first, each 32 bytes in base64 or base64url; everything that must be sealed or signed derives from it',
  },
  TRUST_PROXY: {
    shape: wholeNumber(0, 10),
    development: '0',
    production: '0',
    means: 'number of proxies in front',
  },
  WORKERS: {
    shape: wholeNumber(1, 64),
    development: '1',
    production: '1',
    means: 'processes sharing the port',
  },
  DRAIN_SECONDS: {
    shape: wholeNumber(0, 60),
    development: '0',
    production: '5',
    means:
      'how long a server that was told to end is not ready (/readyz) and still serves, so that proxies leave it before it is gone',
  },
  METRICS_TOKEN: {
    shape: z.string().regex(/^[\x21-\x7e]{16,200}$/, 'must be 16 to 200 printable characters without blanks'),
    development: null,
    production: null,
    means:
      'what /metrics wants as a bearer token; without it, only this machine may read it, and not through a proxy',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    shape: url('http:', 'https:'),
    development: null,
    production: null,
    means:
      'collector that takes traces as OTLP over HTTP, as http://127.0.0.1:4318; without it, nothing is traced',
  },
  OTEL_SERVICE_NAME: {
    shape: z.string().min(1).max(100),
    development: 'sallyport',
    production: 'sallyport',
    means: 'what the traces call this service',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    shape: z
      .string()
      .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'must be a share from 0 to 1')
      .transform(Number),
    development: '1',
    production: '1',
    means: 'share of the traces that begin here and are kept, from 0 to 1',
  },
  LOG_LEVEL: {
    shape: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be fatal, error, warn, info, debug, trace or silent',
    }),
    development: 'info',
    production: 'info',
    means: 'fatal, error, warn, info, debug, trace or silent',
  },
} as const;

type Name = keyof typeof definitions;

/** Authorities that are believed, or null for those that Node trusts; and what this server shows of itself, in PEM. */
export interface DatabaseTls {
  readonly authorities: readonly string[] | null;
  readonly certificate: string | null;
  readonly key: string | null;
}

export interface Settings {
  readonly production: boolean;
  readonly issuer: string;
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string;
  /** How the line to the database server is protected; null where it is not encrypted. */
  readonly databaseTls: DatabaseTls | null;
  readonly demo: boolean;
  readonly mailUrl: string | null;
  readonly mailFrom: string;
  /** `mailto:` or `https:`; null where nobody is named. */
  readonly contact: string | null;
  readonly smsUrl: string | null;
  readonly outboundAllow: readonly string[];
  readonly smsCountries: 'all' | readonly string[];
  readonly smsPerDay: number;
  readonly passkeyRoots: readonly string[];
  readonly dataDir: string;
  readonly secretKeys: string;
  readonly trustProxy: number;
  readonly workers: number;
  /** Milliseconds. */
  readonly drain: number;
  readonly metricsToken: string | null;
  readonly logLevel: string;
  /** Where traces go; null where there are none. */
  readonly traces: {
    readonly endpoint: string;
    readonly service: string;
    readonly share: number;
    readonly trustsCallers: boolean;
  } | null;
}

/** All that is wrong with the settings, in one message: each line names the setting, the rule and, unless secret, the value found. */
export class SettingsError extends Error {
  override name = 'SettingsError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`These settings need attention:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const secretNames: ReadonlySet<string> = new Set([
  'SECRET_KEYS',
  'DATABASE_URL',
  'DATABASE_KEY',
  'MAIL_URL',
  'SMS_URL',
  'METRICS_TOKEN',
]);

/**
 * Reads every setting from the environment, from `NAME_FILE` or from the file that `SETTINGS_FILE` names (NAME=value lines, NAME_FILE
 * among them), in that order.
 *
 * @throws SettingsError with all problems at once
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const problems: string[] = [];
  const fromFile = env.SETTINGS_FILE ? parseSettingsFile(env.SETTINGS_FILE, problems) : {};
  const mode = env.NODE_ENV || fromFile.NODE_ENV || '';
  const production = mode === 'production';
  if (!['', 'development', 'production', 'test'].includes(mode)) {
    problems.push(`NODE_ENV must be production, development or test, found "${mode}"`);
  }
  const given = gather(env, fromFile, problems);
  if (!production) {
    followed(given);
  }
  const values: Partial<Record<Name, unknown>> = {};

  for (const name of Object.keys(definitions) as Name[]) {
    const definition = definitions[name];
    const fallback = production ? definition.production : definition.development;
    const text = given[name] ?? (fallback === 'required' ? null : fallback);
    if (text === null) {
      values[name] = null;
      if (fallback === 'required' && !isMailInDemo(name, given)) {
        problems.push(`${name} must be set in production (${definition.means})`);
      }
      continue;
    }
    const parsed = definition.shape.safeParse(text);
    if (parsed.success) {
      values[name] = parsed.data;
    } else {
      const rules = parsed.error.issues.map((issue) => issue.message).join('; ');
      problems.push(`${name} ${rules}${secretNames.has(name) ? '' : `, found "${text}"`}`);
    }
  }

  if (production) {
    problems.push(...productionProblems(given, values));
  }
  const databaseTls = databaseTlsFrom(values, problems);
  const dataDir = path.resolve(projectRoot, String(values.DATA_DIR ?? 'data'));
  const secretKeys = keysFrom(values.SECRET_KEYS, dataDir, production, problems);
  if (problems.length > 0) {
    throw new SettingsError(problems);
  }

  return {
    production,
    issuer: values.ISSUER as string,
    host: values.HOST as string,
    port: values.PORT as number,
    databaseUrl: values.DATABASE_URL as string,
    databaseTls,
    demo: values.DEMO as boolean,
    mailUrl: (values.MAIL_URL as string | null) ?? null,
    mailFrom: (values.MAIL_FROM as string | null) ?? 'Sallyport <sallyport@localhost>',
    contact: (values.CONTACT as string | null) ?? null,
    smsUrl: (values.SMS_URL as string | null) ?? null,
    outboundAllow: (values.OUTBOUND_ALLOW as string[] | null) ?? [],
    smsCountries: values.SMS_COUNTRIES as 'all' | readonly string[],
    smsPerDay: values.SMS_PER_DAY as number,
    passkeyRoots: (values.PASSKEY_ROOTS as readonly string[] | null) ?? [],
    dataDir,
    secretKeys,
    trustProxy: values.TRUST_PROXY as number,
    workers: values.WORKERS as number,
    drain: (values.DRAIN_SECONDS as number) * 1000,
    metricsToken: (values.METRICS_TOKEN as string | null) ?? null,
    logLevel: values.LOG_LEVEL as string,
    traces:
      typeof values.OTEL_EXPORTER_OTLP_ENDPOINT === 'string'
        ? {
            endpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
            service: values.OTEL_SERVICE_NAME as string,
            share: values.OTEL_TRACES_SAMPLER_ARG as number,
            trustsCallers: (values.TRUST_PROXY as number) > 0,
          }
        : null,
  };
}

/** Whoever names an authority, or shows a certificate, wants TLS: never the one without the other. */
function databaseTlsFrom(
  values: Partial<Record<Name, unknown>>,
  problems: string[],
): Settings['databaseTls'] {
  const authorities = (values.DATABASE_CA as readonly string[] | null) ?? null;
  const certificate = (values.DATABASE_CERTIFICATE as string | null) ?? null;
  const key = (values.DATABASE_KEY as string | null) ?? null;
  const isMeant = authorities !== null || certificate !== null || key !== null;
  const isOn = (values.DATABASE_TLS as boolean | null) ?? isMeant;
  if (!isOn && isMeant) {
    problems.push('DATABASE_TLS is 0, but DATABASE_CA, DATABASE_CERTIFICATE or DATABASE_KEY is given');
  }
  if ((certificate === null) !== (key === null)) {
    problems.push('DATABASE_CERTIFICATE and DATABASE_KEY belong together; one of them is missing');
  }
  if (isOn && String(values.DATABASE_URL).startsWith('sqlite:')) {
    problems.push('DATABASE_TLS is for MySQL and MariaDB; DATABASE_URL names the embedded database');
  }
  return isOn ? { authorities, certificate, key } : null;
}

/** In development, who moves the port or the data moves what lies there. */
function followed(given: Partial<Record<Name, string>>): void {
  if (given.PORT !== undefined && given.PORT !== '0' && /^\d{1,5}$/.test(given.PORT)) {
    given.ISSUER ??= `http://localhost:${given.PORT}`;
  }
  if (given.DATA_DIR !== undefined) {
    given.DATABASE_URL ??= `sqlite:${path.join(given.DATA_DIR, 'sallyport.sqlite')}`;
  }
}

/** With DEMO=1 in production (somebody tries the container) the inbox takes the mail. */
function isMailInDemo(name: Name, given: Partial<Record<Name, string>>): boolean {
  return (name === 'MAIL_URL' || name === 'MAIL_FROM') && ['1', 'true', 'on'].includes(given.DEMO ?? '');
}

function gather(
  env: NodeJS.ProcessEnv,
  fromFile: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Partial<Record<Name, string>> {
  const given: Partial<Record<Name, string>> = {};
  for (const name of Object.keys(definitions) as Name[]) {
    const direct = env[name];
    const file = env[`${name}_FILE`];
    if (direct !== undefined && direct !== '') {
      given[name] = direct;
      if (file) {
        problems.push(`${name} and ${name}_FILE are both set; keep one`);
      }
    } else if (file) {
      const text = readText(file, `${name}_FILE`, problems);
      if (text !== null) {
        given[name] = text.trim();
      }
    } else if (fromFile[name] !== undefined && fromFile[name] !== '') {
      given[name] = fromFile[name];
      if (fromFile[`${name}_FILE`]) {
        problems.push(`SETTINGS_FILE has ${name} and ${name}_FILE; keep one`);
      }
    } else if (fromFile[`${name}_FILE`]) {
      const text = readText(fromFile[`${name}_FILE`] ?? '', `${name}_FILE`, problems);
      if (text !== null) {
        given[name] = text.trim();
      }
    }
  }
  return given;
}

function parseSettingsFile(file: string, problems: string[]): Record<string, string | undefined> {
  const text = readText(file, 'SETTINGS_FILE', problems);
  if (text === null) {
    return {};
  }
  const found = parseEnv(text);
  for (const [index, line] of text.split('\n').entries()) {
    if (
      /^\s*(export\s+)?[A-Z][A-Z0-9_]*(\s+[^\s=].*)?$/.test(line) &&
      !Object.values(found).some((value) => value?.includes(line.trim()))
    ) {
      problems.push(`SETTINGS_FILE line ${index + 1} has no =; each line is NAME=value`);
    }
  }
  for (const name of Object.keys(found)) {
    if (!(name in definitions) && !(name.replace(/_FILE$/, '') in definitions) && name !== 'NODE_ENV') {
      problems.push(
        `SETTINGS_FILE has ${name}, which is no setting (known: ${Object.keys(definitions).join(', ')})`,
      );
    }
  }
  return found;
}

function readText(file: string, name: string, problems: string[]): string | null {
  try {
    return readFileSync(path.resolve(projectRoot, file), 'utf8');
  } catch (error) {
    problems.push(
      `${name} names a file that cannot be read: ${file} (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    );
    return null;
  }
}

function productionProblems(
  given: Partial<Record<Name, string>>,
  values: Partial<Record<Name, unknown>>,
): string[] {
  const problems: string[] = [];
  if (typeof values.ISSUER === 'string' && !values.ISSUER.startsWith('https://')) {
    problems.push(`ISSUER must start with https:// in production, found "${values.ISSUER}"`);
  }
  const smsUrlText = given.SMS_URL;
  if (smsUrlText !== undefined && URL.canParse(smsUrlText) && new URL(smsUrlText).protocol === 'http:') {
    problems.push('SMS_URL must start with https:// in production');
  }
  const password =
    given.DATABASE_URL?.startsWith('mysql:') && URL.canParse(given.DATABASE_URL)
      ? new URL(given.DATABASE_URL).password
      : null;
  if (
    password !== null &&
    ['', 'password', 'root', 'mysql', 'changeme', 'secret', 'sallyport'].includes(
      decoded(password) ?? password,
    )
  ) {
    problems.push('DATABASE_URL has an empty or default password; choose another');
  }
  return problems;
}

function keysFrom(given: unknown, dataDir: string, production: boolean, problems: string[]): string {
  if (typeof given === 'string') {
    const keys = given.split(',').map((key) => Buffer.from(key.trim(), 'base64url'));
    keys.forEach((key, index) => {
      if (key.length !== 32) {
        problems.push(
          `SECRET_KEYS: key ${index + 1} must be 32 bytes in base64 or base64url, found ${key.length} bytes`,
        );
      } else if (new Set(key).size < 8) {
        problems.push(`SECRET_KEYS: key ${index + 1} is not random; make one with: openssl rand -base64 32`);
      }
    });
    return given;
  }
  if (production || problems.length > 0) {
    return '';
  }
  return keysMadeAtFirstStart(dataDir);
}

/** Made once and kept; `wx` lets one of several processes that start together win. */
function keysMadeAtFirstStart(dataDir: string): string {
  const file = path.join(dataDir, 'secret-keys');
  try {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' || !existsSync(file)) {
      throw new SettingsError([
        `DATA_DIR names a folder that cannot be made or written to: ${dataDir} (${code ?? 'error'})`,
      ]);
    }
  }
  return readFileSync(file, 'utf8').trim();
}
