import { generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { koaBody } from 'koa-body';
import { type JWK, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { verifySync } from 'otplib';
import { stretch } from '../lib/argon2.ts';
import { readPasswordScheme } from '../lib/password-scheme.ts';
import { memoryAdapter } from './memory-adapter.ts';
import { clientId, clientSecret, type People, redirectUri, stepAt } from './people.ts';

/**
 * node-oidc-provider with the least that makes two factors of it: records in memory, two pages, the same hash. No policy,
 * no limits, no audit, nothing that outlives the process. The anchor of the bench, run as a process of its own.
 */
const { ISSUER = '', PORT = '', PEOPLE_FILE = '' } = process.env;
const people = JSON.parse(readFileSync(PEOPLE_FILE, 'utf8')) as People;
const byEmail = new Map(people.list.map((person) => [person.email, { ...person, lastStep: -1 }]));
const scheme = readPasswordScheme(people.passwordHash);
if (typeof scheme === 'string' || scheme.kind !== 'argon2') throw new Error('the hash is not argon2');
const { type, cost, salt, tag } = scheme;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'bare', use: 'sig', alg: 'RS256' } as JWK;
const cookie = { httpOnly: true, sameSite: 'lax', signed: true, secure: true } as const;

const provider = new Provider(ISSUER, {
  adapter: memoryAdapter(),
  jwks: { keys: [jwk] },
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: sub, email_verified: true, name: sub }),
  }),
  claims: {
    openid: ['sub', 'acr', 'amr', 'auth_time'],
    profile: ['name'],
    email: ['email', 'email_verified'],
  },
  acrValues: ['2fa'],
  clientDefaults: { require_auth_time: true },
  loadExistingGrant: grantEverything,
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: false },
    claimsParameter: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  formats: { bitsOfOpaqueRandomness: 256 },
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    Grant: 86_400,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 86_400,
    Session: 28_800,
  },
  cookies: {
    keys: [randomBytes(32).toString('base64url')],
    long: { ...cookie, path: '/' },
    short: cookie,
  },
});
provider.proxy = true;

async function grantEverything(ctx: KoaContextWithOIDC) {
  const { session, client, account } = ctx.oidc;
  if (!session || !client || !account) return undefined;
  const known = session.grantIdFor(client.clientId);
  const existing = known ? await provider.Grant.find(known) : undefined;
  if (existing) return existing;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: account.accountId });
  grant.addOIDCScope([...ctx.oidc.requestParamOIDCScopes].join(' '));
  await grant.save();
  return grant;
}

/** Who has given the right password, by interaction; nobody is signed in by it. */
const pending = new Map<string, string>();
const body = koaBody({ json: false, text: false, multipart: false });
const page = (uid: string, fields: string) =>
  `<!doctype html><title>Sign in</title><form method="post" action="/interaction/${uid}">${fields}<button>Go on</button></form>`;

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { uid } = await provider.interactionDetails(ctx.req, ctx.res);
  const email = pending.get(uid);
  if (ctx.method === 'GET') {
    ctx.type = 'html';
    ctx.body = page(uid, email ? '<input name="code">' : '<input name="email"><input name="password">');
    return;
  }
  await body(ctx, async () => {});
  const form = (ctx.request as unknown as { body: Record<string, string> }).body;
  if (email === undefined) {
    const tried = await stretch(form.password ?? '', salt, { type, cost, tagLength: tag.length });
    if (!timingSafeEqual(tried, tag) || !byEmail.has(form.email ?? '')) ctx.throw(422, 'wrong password');
    pending.set(uid, form.email ?? '');
    ctx.status = 303;
    ctx.redirect(`/interaction/${uid}`);
    return;
  }
  const person = byEmail.get(email);
  const step = stepAt(Date.now());
  const right =
    person !== undefined &&
    step > person.lastStep &&
    verifySync({ secret: person.totp, token: form.code ?? '', epochTolerance: 30 }).valid;
  if (!right) return ctx.throw(422, 'wrong code');
  person.lastStep = step;
  pending.delete(uid);
  await provider.interactionFinished(ctx.req, ctx.res, {
    login: { accountId: email, acr: '2fa', amr: ['pwd', 'otp', 'mfa'] },
    consent: {},
  });
  ctx.respond = false;
});

createServer(provider.callback()).listen(Number(PORT), '127.0.0.1', () => {
  console.log(`bare provider ready at ${ISSUER}`);
});
process.once('SIGTERM', () => process.exit());
