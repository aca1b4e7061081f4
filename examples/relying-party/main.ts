import { startRelyingParty } from './relying-party.ts';

const {
  ISSUER = 'http://localhost:3000',
  CLIENT_ID = 'demo',
  CLIENT_SECRET = 'demo-secret',
  HOST = '127.0.0.1',
  PORT = '3001',
  REDIRECT_URI,
  API,
} = process.env;

const relyingParty = await startRelyingParty({
  issuer: ISSUER,
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  host: HOST,
  port: Number(PORT),
  ...(API ? { api: API } : {}),
  ...(REDIRECT_URI ? { redirectUri: REDIRECT_URI } : {}),
});
console.log(`Open ${relyingParty.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => relyingParty.close());
}
