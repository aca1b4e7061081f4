import test from 'ava';
import { assuranceScope, brokerConfig } from '../../flows/keycloak-broker-config.ts';
import {
  acme,
  type FrontDoor,
  frontDoor,
  kinds,
  passwordStep,
  redirectUri,
  secret,
} from '../front-door/rig.ts';

type Fields = Record<string, unknown>;

const printed = (issuer: string) =>
  brokerConfig({
    issuer,
    keycloak: 'https://keycloak.example.com',
    realm: 'demo',
    alias: 'sallyport',
    clientId: 'keycloak-demo',
    clientSecret: null,
    organization: null,
  });

const read = async (door: FrontDoor, path: string, headers: Record<string, string> = {}) =>
  (await (await fetch(`${door.issuer}${path}`, { headers })).json()) as Fields;

for (const kind of kinds) {
  test(`${kind}: what is printed for Keycloak fits this server, and what is printed for this server can be applied (N)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret } }, { applications: [] }),
    });
    const { realm, configuration } = printed(door.issuer);
    const [provider] = (realm as { identityProviders: { config: Fields }[] }).identityProviders;
    const config = provider?.config ?? {};
    const discovered = await read(door, '/.well-known/openid-configuration');
    for (const [ours, theirs] of [
      ['issuer', 'issuer'],
      ['authorizationUrl', 'authorization_endpoint'],
      ['tokenUrl', 'token_endpoint'],
      ['userInfoUrl', 'userinfo_endpoint'],
      ['logoutUrl', 'end_session_endpoint'],
      ['jwksUrl', 'jwks_uri'],
    ]) {
      t.is(config[ours ?? ''], discovered[theirs ?? ''], ours);
    }
    t.like(config, { pkceEnabled: 'true', pkceMethod: 'S256', validateSignature: 'true' });
    t.false('clientSecret' in config);
    for (const scope of String(config.defaultScope).split(' '))
      t.true((discovered.scopes_supported as string[]).includes(scope), scope);
    t.deepEqual(
      assuranceScope.protocolMappers.map(({ config: mapper }) => mapper['claim.name']),
      ['acr', 'amr'],
    );
    await door.apply(configuration);
    const stored = await door.db.row<{ metadata: string }>(
      'SELECT metadata FROM applications WHERE client_id = ?',
      ['keycloak-demo'],
    );
    t.like(JSON.parse(stored?.metadata ?? '{}'), {
      broker: true,
      redirect_uris: ['https://keycloak.example.com/realms/demo/broker/sallyport/endpoint'],
      token_endpoint_auth_method: 'private_key_jwt',
    });
  });

  test(`${kind}: a broker's sign-in may lead on to applications that nobody here knows, anybody else's may not (N)`, async (t) => {
    const broker = { client_id: 'broker', client_secret: 'broker-secret', redirect_uris: [redirectUri] };
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { totp: secret } },
        { applications: [{ ...broker, firstParty: true, broker: true }] },
      ),
    });
    const policyFor = async (clientId: string) => {
      const browser = door.browser();
      await browser.authorize({ client_id: clientId });
      return browser.headers.get('Content-Security-Policy') ?? '';
    };
    t.regex(await policyFor('app'), /form-action 'self' http:\/\/127\.0\.0\.1:9$/);
    const policy = await policyFor('broker');
    t.notRegex(policy, /form-action/);
    t.regex(policy, /default-src 'self'/);

    // How somebody signed in, also as the text that Keycloak can carry; and only to whoever asks for it.
    const asked = async (scope: string) => {
      const browser = door.browser();
      await passwordStep(browser, 'ada', { client_id: 'broker', scope });
      await browser.press('Verify', { code: door.code() });
      const { body } = await door.tokens(browser.callback?.get('code') ?? '', browser.verifier, {
        clientId: 'broker',
      });
      door.clock.forward(60_000);
      return read(door, '/me', { Authorization: `Bearer ${String(body.access_token)}` });
    };
    const told = await asked('openid amr_json');
    t.is(told.amr_json, '["pwd","otp","mfa"]');
    t.deepEqual(told.amr, ['pwd', 'otp', 'mfa']);
    t.false('amr_json' in (await asked('openid')));
  });
}
