import test from 'ava';
import { discover, type Upstream } from '../../federation/upstream.ts';
import { UpstreamProblem } from '../../federation/upstream-problem.ts';

const issuer = 'https://sso.acme.example';
const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  userinfo_endpoint: `${issuer}/userinfo`,
  end_session_endpoint: `${issuer}/logout`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
};

let count = 0;
const ask = (said: object) => {
  count += 1;
  const upstream: Upstream = {
    id: `provider-${count}`,
    version: 1,
    issuer,
    clientId: 'sallyport',
    authentication: 'client_secret_basic',
    secret: 'x',
    privateKey: null,
  };
  const outbound = async () => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ ...metadata, ...said })),
  });
  return discover({ outbound, clock: { now: () => new Date() } }, upstream);
};

test('of a provider with https everything is https, whatever a browser or a request of ours is sent to (T147)', async (t) => {
  t.is((await ask({})).issuer, issuer);
  t.is((await ask({ userinfo_endpoint: undefined, end_session_endpoint: undefined })).issuer, issuer);
  const names = [
    'authorization_endpoint',
    'token_endpoint',
    'jwks_uri',
    'userinfo_endpoint',
    'end_session_endpoint',
  ];
  for (const name of names) {
    for (const wrong of [
      'http://sso.acme.example/x',
      'http://127.0.0.1/x',
      'file:///etc/passwd',
      'javascript:alert(1)',
      '//evil.example',
      '',
      1,
      ['https://evil.example'],
    ]) {
      const error = await t.throwsAsync(ask({ [name]: wrong }), { instanceOf: UpstreamProblem });
      t.is(error?.reason, 'not_trusted', `${name} ${JSON.stringify(wrong)}`);
    }
  }
});
