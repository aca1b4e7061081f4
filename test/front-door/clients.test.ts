import parallel, { type ExecutionContext } from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  passwordStep,
  redirectUri,
  secret,
} from './rig.ts';

const resource = 'https://flights.example.com/api';
const acr2fa = 'urn:sallyport:acr:2fa';

const setUp = (t: ExecutionContext, kind: 'SQLite' | 'MariaDB') =>
  frontDoor(t, kind, {
    now: new Date(),
    configuration: acme(
      { requirement: 'optional' },
      { ada: { totp: secret } },
      {
        applications: [
          application('rp', { post_logout_redirect_uris: [`${redirectUri}/bye`] }),
          application('flights', {
            grant_types: [],
            response_types: [],
            redirect_uris: [],
            resource,
            resource_scopes: 'flights:read',
          }),
          application('tv', {
            grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
            response_types: [],
            redirect_uris: [],
          }),
          application('machine', {
            grant_types: ['client_credentials'],
            response_types: [],
            redirect_uris: [],
          }),
        ],
      },
    ),
  });

/** Every token that is a JWT, checked by nothing but the published keys. */
async function independently(
  t: ExecutionContext,
  door: FrontDoor,
  token: string,
  expected: { aud: string; typ?: string },
) {
  const keys = createRemoteJWKSet(new URL(`${door.issuer}/jwks`));
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: door.issuer,
    audience: expected.aud,
    algorithms: ['RS256', 'ES256'],
    ...(expected.typ ? { typ: expected.typ } : {}),
    requiredClaims: ['sub', 'iat', 'exp'],
  });
  t.truthy(protectedHeader.kid);
  return payload;
}

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: openid-client signs in, steps up, refreshes, connects a device and signs out`, async (t) => {
    const door = await setUp(t, kind);
    const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks];
    const config = await oidc.discovery(new URL(door.issuer), 'rp', 'rp-secret', undefined, { execute });
    const browser = door.browser();
    const ask = async (params: Record<string, string> = {}, checks: object = {}) => {
      const [state, nonce, codeVerifier] = [
        oidc.randomState(),
        oidc.randomNonce(),
        oidc.randomPKCECodeVerifier(),
      ];
      const url = await oidc.buildAuthorizationUrlWithPAR(config, {
        redirect_uri: redirectUri,
        scope: 'openid email offline_access',
        prompt: 'consent',
        state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        ...params,
      });
      await browser.open(url.href);
      if (browser.callback === null && browser.heading.startsWith('Sign in')) {
        await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
      }
      if (browser.callback === null && browser.heading === 'Two-factor authentication') {
        await browser.press('Verify', { code: door.code() });
        nextStep(door);
      }
      if (browser.callback === null) await browser.press('Allow');
      const tokens = await oidc.authorizationCodeGrant(
        config,
        new URL(`${redirectUri}?${browser.callback}`),
        {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: codeVerifier,
          idTokenExpected: true,
          ...checks,
        },
      );
      const payload = await independently(t, door, tokens.id_token ?? '', { aud: 'rp' });
      t.like(tokens.claims(), payload);
      return tokens;
    };
    const first = await ask();
    t.like(first.claims(), { acr: acr2fa, amr: ['pwd', 'otp', 'mfa'] });
    const sub = first.claims()?.sub ?? '';
    t.is((await oidc.fetchUserInfo(config, first.access_token, sub)).email, 'ada@acme.test');

    nextStep(door);
    const before = first.claims()?.auth_time ?? 0;
    const fresh = await ask({ acr_values: acr2fa, max_age: '0' }, { maxAge: 60 });
    t.true((fresh.claims()?.auth_time ?? 0) > before, 'a fresh factor');

    const renewed = await oidc.refreshTokenGrant(config, fresh.refresh_token ?? '');
    t.is(renewed.claims()?.acr, acr2fa);
    await independently(t, door, renewed.id_token ?? '', { aud: 'rp' });
    const reused = await t.throwsAsync(oidc.refreshTokenGrant(config, fresh.refresh_token ?? ''));
    t.like(reused, { error: 'invalid_grant' });
    const again = await ask();
    t.like(await oidc.tokenIntrospection(config, again.access_token), { active: true, acr: acr2fa, sub });
    await oidc.tokenRevocation(config, again.access_token);
    t.false((await oidc.tokenIntrospection(config, again.access_token)).active);

    const tv = await oidc.discovery(new URL(door.issuer), 'tv', 'tv-secret', undefined, { execute });
    const device = await oidc.initiateDeviceAuthorization(tv, { scope: 'openid', acr_values: acr2fa });
    await browser.open(device.verification_uri_complete ?? '');
    await browser.press('Continue');
    await browser.press('Continue');
    if (browser.callback === null && browser.heading === 'Two-factor authentication')
      await browser.press('Verify', { code: door.code() });
    const connected = await oidc.pollDeviceAuthorizationGrant(tv, { ...device, interval: 0.05 });
    t.is(connected.claims()?.sub, sub);
    await independently(t, door, connected.id_token ?? '', { aud: 'tv' });

    const end = oidc.buildEndSessionUrl(config, {
      id_token_hint: again.id_token ?? '',
      post_logout_redirect_uri: `${redirectUri}/bye`,
      state: 'gone',
    });
    await browser.open(end.href);
    await browser.press('Sign out', { logout: 'yes' });
    t.is(browser.callback?.get('state'), 'gone');
    await browser.authorize({ client_id: 'rp', prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');
  });

  test(`${kind}: oauth4webapi signs in with DPoP, gets tokens for a resource server that checks them, steps up, refreshes, signs out, and gets one for a program`, async (t) => {
    const door = await setUp(t, kind);
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(door.issuer);
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    const client: oauth.Client = { client_id: 'rp' };
    const auth = oauth.ClientSecretBasic('rp-secret');
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const browser = door.browser();
    const verifier = oauth.generateRandomCodeVerifier();
    await passwordStep(browser, 'ada', {
      client_id: 'rp',
      scope: 'openid flights:read',
      resource,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      dpop_jkt: await DPoP.calculateThumbprint(),
    });
    await browser.press('Verify', { code: door.code() });
    const params = oauth.validateAuthResponse(as, client, browser.callback ?? new URLSearchParams(), 'state');
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      auth,
      params,
      redirectUri,
      verifier,
      {
        DPoP,
        additionalParameters: { resource },
        ...insecure,
      },
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
      requireIdToken: true,
    });
    t.is(tokens.token_type, 'dpop');
    t.like(oauth.getValidatedIdTokenClaims(tokens), { acr: acr2fa });
    await independently(t, door, tokens.id_token ?? '', { aud: 'rp' });
    const access = await independently(t, door, tokens.access_token, { aud: resource, typ: 'at+jwt' });
    t.like(access, { client_id: 'rp', scope: 'flights:read', acr: acr2fa });

    // The resource server's side: the token and its proof, as RFC 9068 and RFC 9449 want them.
    const seen: Request[] = [];
    await oauth.protectedResourceRequest(
      tokens.access_token,
      'GET',
      new URL(`${resource}/flights`),
      new Headers(),
      null,
      {
        DPoP,
        [oauth.customFetch]: async (url, options) => {
          seen.push(new Request(url, { method: options.method, headers: options.headers }));
          return new Response('{}', { status: 200 });
        },
      },
    );
    const claims = await oauth.validateJwtAccessToken(as, seen[0] as Request, resource, {
      requireDPoP: true,
      ...insecure,
    });
    t.is(claims.client_id, 'rp');
    t.deepEqual(claims.amr, ['pwd', 'otp', 'mfa']);

    const before = oauth.getValidatedIdTokenClaims(tokens)?.auth_time ?? 0;
    nextStep(door);
    const second = oauth.generateRandomCodeVerifier();
    await browser.authorize({
      client_id: 'rp',
      scope: 'openid',
      acr_values: acr2fa,
      max_age: '0',
      code_challenge: await oauth.calculatePKCECodeChallenge(second),
    });
    if (browser.heading.startsWith('Sign in')) {
      await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    }
    await browser.press('Verify', { code: door.code() });
    const back = oauth.validateAuthResponse(as, client, browser.callback ?? new URLSearchParams(), 'state');
    const stepped = await oauth.processAuthorizationCodeResponse(
      as,
      client,
      await oauth.authorizationCodeGrantRequest(as, client, auth, back, redirectUri, second, insecure),
      { requireIdToken: true, maxAge: 60 },
    );
    const idToken = stepped.id_token ?? '';
    t.like(await independently(t, door, idToken, { aud: 'rp' }), { acr: acr2fa });
    t.true((oauth.getValidatedIdTokenClaims(stepped)?.auth_time ?? 0) > before, 'a fresh factor');

    const refresh = async () =>
      oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(as, client, auth, stepped.refresh_token ?? '', insecure),
      );
    const renewed = await refresh();
    t.not(renewed.refresh_token, stepped.refresh_token);
    t.like(await independently(t, door, renewed.id_token ?? '', { aud: 'rp' }), { acr: acr2fa });
    t.like(await t.throwsAsync(refresh()), { error: 'invalid_grant' });

    const end = new URL(as.end_session_endpoint ?? '');
    end.search = String(
      new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: `${redirectUri}/bye` }),
    );
    await browser.open(end.href);
    await browser.press('Sign out', { logout: 'yes' });
    t.truthy(browser.callback);
    await browser.authorize({ client_id: 'rp', prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');

    const program: oauth.Client = { client_id: 'machine' };
    const granted = await oauth.processClientCredentialsResponse(
      as,
      program,
      await oauth.clientCredentialsGrantRequest(
        as,
        program,
        oauth.ClientSecretPost('machine-secret'),
        { scope: 'flights:read', resource },
        insecure,
      ),
    );
    t.is(
      (await independently(t, door, granted.access_token, { aud: resource, typ: 'at+jwt' })).sub,
      'machine',
    );
    const introspected = await oauth.processIntrospectionResponse(
      as,
      client,
      await oauth.introspectionRequest(as, client, auth, 'nonsense', insecure),
    );
    t.false(introspected.active);
  });
}
