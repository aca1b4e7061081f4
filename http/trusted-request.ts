import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';

/**
 * Before anything else sees a request: the public address is the issuer's, whatever headers say (security.md T112), and the
 * client's network address is told by as many proxies as are trusted, and by nobody else. Answers what it will not let through;
 * true where it did.
 */
export function answerUntrusted(
  req: IncomingMessage,
  res: ServerResponse,
  rules: { readonly issuer: string; readonly trustProxy: number },
): boolean {
  if (!req.url?.startsWith('/')) {
    res.writeHead(400, { 'Content-Type': 'text/plain', Connection: 'close' }).end('Bad Request\n');
    return true;
  }
  const { host, protocol } = new URL(rules.issuer);
  const ip = clientAddress(req, rules.trustProxy);
  for (const name of Object.keys(req.headers)) {
    if (name === 'forwarded' || name.startsWith('x-forwarded-') || name === 'x-http-method-override') {
      delete req.headers[name];
    }
  }
  req.headers.host = host;
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  req.headers['x-forwarded-for'] = ip;
  return false;
}

function clientAddress(req: IncomingMessage, trustProxy: number): string {
  const direct = req.socket.remoteAddress ?? '0.0.0.0';
  if (trustProxy === 0) {
    return plain(direct);
  }
  const header = req.headers['x-forwarded-for'];
  const listed = (Array.isArray(header) ? header.join(',') : (header ?? ''))
    .split(',')
    .map((part) => part.trim());
  const told = listed.at(-trustProxy) ?? '';
  return isIP(told) === 0 ? plain(direct) : plain(told);
}

/** An IPv4 address that arrives as IPv6 is still the IPv4 address. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');
