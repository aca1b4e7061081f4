import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { createLocalJWKSet, exportJWK, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose';
import type { Browser } from './browser.ts';
import type { FrontDoor } from './rig.ts';

/** What one answer of the fake says that is not so. */
export interface Lie {
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Claims that are left out. */
  readonly without?: readonly string[];
  readonly header?: Readonly<Record<string, unknown>>;
  readonly sign?: 'right' | 'stranger' | 'none' | 'secret';
  /** Parameters of the way back; null leaves one out. */
  readonly back?: Readonly<Record<string, string | null>>;
  readonly idToken?: (token: string) => string | undefined;
}

export interface Asked {
  readonly url: URL;
  readonly params: Readonly<Record<string, string>>;
}

/** An OpenID provider that says what the test wants: the truth, or anything else. */
export class FakeUpstream {
  issuer = '';
  door: FrontDoor | null = null;
  /** What is true of whoever signs in there. */
  person: Record<string, unknown> = {};
  metadata: Record<string, unknown> = {};
  userinfo: Record<string, unknown> | null = null;
  down = false;
  delay = 0;
  readonly requests: string[] = [];
  /** What the last token request brought. */
  tokenRequest: { readonly authorization: string; readonly body: URLSearchParams } | null = null;
  private key: {
    privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
    jwk: JWK & { kid: string };
  } | null = null;
  private readonly codes = new Map<string, { params: Record<string, string>; lie: Lie }>();

  async newKey(): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = {
      ...(await exportJWK(publicKey)),
      kid: randomBytes(6).toString('hex'),
      alg: 'ES256',
      use: 'sig',
    };
    this.key = { privateKey, jwk };
  }

  private now(): number {
    return Math.floor((this.door?.clock.now().getTime() ?? Date.now()) / 1000);
  }

  /** The page that our page leads to: what was asked. */
  asked(browser: Browser): Asked {
    const href = /<a class="button primary" href="([^"]*)"/.exec(browser.text)?.[1];
    if (!href?.startsWith(this.issuer.replaceAll('&', '&amp;'))) {
      throw new Error(`not on the way there: ${browser.status} ${browser.heading} ${browser.alert}`);
    }
    const url = new URL(href.replaceAll('&amp;', '&').replaceAll('&#34;', '"'));
    return { url, params: Object.fromEntries(url.searchParams) };
  }

  /** Somebody signs in there; where that leads. */
  answer({ params }: Asked, lie: Lie = {}): string {
    const code = randomBytes(16).toString('base64url');
    this.codes.set(code, { params, lie });
    const back = new URL(String(params.redirect_uri));
    const fields = { code, state: params.state ?? '', iss: this.issuer, ...lie.back };
    for (const [name, value] of Object.entries(fields)) {
      if (value !== null) back.searchParams.set(name, value);
    }
    return back.href;
  }

  /** From our "Sign in with …" to where its answer leads. */
  async signIn(browser: Browser, lie: Lie = {}, button = 'Sign in with Fake'): Promise<Asked> {
    await browser.press(button);
    return this.comeBack(browser, lie);
  }

  async comeBack(browser: Browser, lie: Lie = {}): Promise<Asked> {
    const asked = this.asked(browser);
    await browser.open(this.answer(asked, lie));
    return asked;
  }

  async sign(claims: Record<string, unknown>, lie: Lie = {}, typ?: string): Promise<string> {
    const { privateKey, jwk } = this.key as NonNullable<typeof this.key>;
    const kept = Object.fromEntries(
      Object.entries({ ...claims, ...lie.claims }).filter(([name]) => !lie.without?.includes(name)),
    );
    const header = { alg: 'ES256', kid: jwk.kid, ...(typ ? { typ } : {}), ...lie.header };
    if (lie.sign === 'none') {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      return `${part({ ...header, alg: 'none' })}.${part(kept)}.`;
    }
    if (lie.sign === 'secret') {
      return new SignJWT(kept)
        .setProtectedHeader({ ...header, alg: 'HS256' })
        .sign(new TextEncoder().encode('fake-secret'));
    }
    const key = lie.sign === 'stranger' ? (await generateKeyPair('ES256')).privateKey : privateKey;
    return new SignJWT(kept).setProtectedHeader(header as { alg: string }).sign(key, { crit: { exp: true } });
  }

  logoutToken(claims: Record<string, unknown> = {}, lie: Lie = {}): Promise<string> {
    return this.sign(
      {
        iss: this.issuer,
        aud: 'sallyport',
        iat: this.now(),
        exp: this.now() + 120,
        jti: randomBytes(8).toString('hex'),
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        ...claims,
      },
      lie,
      'logout+jwt',
    );
  }

  async respond(
    path: string,
    body: URLSearchParams,
    authorization: string,
  ): Promise<{ status: number; body: unknown }> {
    if (path === '/.well-known/openid-configuration') {
      return {
        status: 200,
        body: {
          issuer: this.issuer,
          authorization_endpoint: `${this.issuer}/authorize`,
          token_endpoint: `${this.issuer}/token`,
          jwks_uri: `${this.issuer}/jwks`,
          userinfo_endpoint: `${this.issuer}/userinfo`,
          end_session_endpoint: `${this.issuer}/logout`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
          authorization_response_iss_parameter_supported: true,
          ...this.metadata,
        },
      };
    }
    if (path === '/jwks') {
      return { status: 200, body: { keys: [this.key?.jwk] } };
    }
    if (path === '/userinfo') {
      return this.userinfo ? { status: 200, body: this.userinfo } : { status: 404, body: {} };
    }
    this.tokenRequest = { authorization, body };
    const found = this.codes.get(body.get('code') ?? '');
    this.codes.delete(body.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (!found || challenge !== found.params.code_challenge || !(await this.knows(body, authorization))) {
      return { status: 400, body: { error: 'invalid_grant' } };
    }
    const { params, lie } = found;
    const token = await this.sign(
      {
        iss: this.issuer,
        aud: params.client_id,
        nonce: params.nonce,
        iat: this.now(),
        exp: this.now() + 300,
        auth_time: this.now(),
        ...this.person,
      },
      lie,
    );
    const idToken = lie.idToken ? lie.idToken(token) : token;
    return {
      status: 200,
      body: {
        access_token: 'an-access-token',
        token_type: 'Bearer',
        ...(idToken === undefined ? {} : { id_token: idToken }),
      },
    };
  }

  private async knows(body: URLSearchParams, authorization: string): Promise<boolean> {
    const assertion = body.get('client_assertion');
    if (assertion !== null && this.door) {
      const keys = await (await fetch(`${this.door.issuer}/upstream/keyed/jwks.json`)).json();
      const { payload } = await jwtVerify(assertion, createLocalJWKSet(keys as { keys: JWK[] }), {
        issuer: 'sallyport',
        subject: 'sallyport',
        audience: this.issuer,
        currentDate: this.door.clock.now(),
      });
      return payload.jti !== undefined;
    }
    return (
      // RFC 6749 §2.3.1: both halves are encoded as in a form.
      decodeURIComponent(Buffer.from(authorization.slice(6), 'base64').toString()).endsWith(':fake-secret') ||
      body.get('client_secret') === 'fake-secret'
    );
  }
}

export async function fakeUpstream(t: ExecutionContext): Promise<FakeUpstream> {
  const fake = new FakeUpstream();
  await fake.newKey();
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const { pathname } = new URL(req.url ?? '/', 'http://x');
    fake.requests.push(`${req.method} ${pathname}`);
    if (fake.delay > 0) await new Promise((resolve) => setTimeout(resolve, fake.delay));
    if (fake.down) {
      res.destroy();
      return;
    }
    const answer = await fake.respond(
      pathname,
      new URLSearchParams(Buffer.concat(chunks).toString()),
      req.headers.authorization ?? '',
    );
    res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.teardown(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return fake;
}

/** How the fake stands in a configuration. */
export const provider = (fake: FakeUpstream, more: object = {}): object => ({
  slug: 'fake',
  name: 'Fake',
  issuer: fake.issuer,
  clientId: 'sallyport',
  clientSecret: 'fake-secret',
  ...more,
});
