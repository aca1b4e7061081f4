import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGuard, type GuardSettings, type Needs } from './require-authentication.ts';

/** Reading needs any sign-in; booking one with a second factor, at most five minutes ago. */
const routes: Readonly<Record<string, Needs>> = {
  'GET /flights': { scope: 'flights:read' },
  'POST /flights': { scope: 'flights:write', acr: ['urn:sallyport:acr:2fa', 'phr'], maxAge: 300 },
};

export interface ResourceServerSettings extends GuardSettings {
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port?: number;
}

/** A small API that is protected by access tokens. */
export async function startResourceServer({
  host = '127.0.0.1',
  port = 3002,
  ...settings
}: ResourceServerSettings): Promise<{ url: string; close(): Promise<void> }> {
  const check = createGuard(settings);
  const booked: { by: string; at: string }[] = [];
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object, headers: Record<string, string> = {}) =>
      response
        .writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers })
        .end(JSON.stringify(body));
    try {
      const needs = routes[`${request.method} ${(request.url ?? '').split('?', 1)[0]}`];
      if (!needs) return answer(404, { error: 'not_found' });
      const checked = await check(request, needs);
      if (!checked.ok) {
        return answer(checked.status, { error: 'refused' }, { 'WWW-Authenticate': checked.challenge });
      }
      if (request.method === 'POST') {
        booked.push({ by: String(checked.claims.sub), at: new Date().toISOString() });
        return answer(201, { flights: booked.length });
      }
      return answer(200, { flights: booked.filter(({ by }) => by === checked.claims.sub).length });
    } catch {
      return answer(503, { error: 'unavailable' }, { 'Retry-After': '5' });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
