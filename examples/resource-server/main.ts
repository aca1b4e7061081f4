import { startResourceServer } from './resource-server.ts';

const {
  ISSUER = 'http://localhost:3000',
  RESOURCE = 'http://localhost:3002',
  HOST = '127.0.0.1',
  PORT = '3002',
} = process.env;

const resourceServer = await startResourceServer({
  issuer: ISSUER,
  resource: RESOURCE,
  host: HOST,
  port: Number(PORT),
});
console.log(`Listening at ${resourceServer.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => resourceServer.close());
}
