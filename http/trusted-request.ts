import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { madeOnce } from '../lib/made-once.ts';
import { catalogue } from './errors.ts';

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
  // No browser compresses a form, and no library a token request: what is small on the way and large here is only ever an attack.
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    const { status, title, advice } = catalogue.unsupported_encoding;
    res
      .writeHead(status, {
        'Content-Type': 'application/problem+json',
        'Accept-Encoding': 'identity',
        Connection: 'close',
      })
      .end(
        JSON.stringify({ type: 'about:blank', title, status, detail: advice, code: 'unsupported_encoding' }),
      );
    return true;
  }
  const { host, hostname, protocol } = addressOf(rules.issuer);
  if (isStrangeName(req.headers.host, hostname)) {
    strange.add(req);
  } else if (isLoopback(req.socket.remoteAddress) && !Object.keys(req.headers).some(isOfProxy)) {
    direct.add(req);
  }
  const ip = clientAddress(req, rules.trustProxy);
  for (const name of Object.keys(req.headers)) {
    if (isOfProxy(name) || name === 'x-http-method-override') {
      delete req.headers[name];
    }
  }
  req.headers.host = host;
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  req.headers['x-forwarded-for'] = ip;
  return false;
}

/**
 * The number of a request, by which its lines in the log and its page of an error are found again. A trusted proxy may have given it
 * one; nobody else may write into the log.
 */
export function requestId(req: IncomingMessage, trustProxy: number): string {
  const given = req.headers['x-request-id'];
  const isGood = trustProxy > 0 && typeof given === 'string' && /^[\w.-]{8,64}$/.test(given);
  if (isGood) {
    return given;
  }
  // Node makes the random numbers of these many at a time.
  const random = randomUUID();
  return random.slice(0, 8) + random.slice(-8);
}

const addressOf = madeOnce(10, (issuer) => {
  const { host, hostname, protocol } = new URL(issuer);
  return { host, hostname, protocol };
});

const direct = new WeakSet<IncomingMessage>();

/**
 * Whether a request names another server than this: a page of somebody's whose name was made to lead here reads what it gets as its own
 * (DNS rebinding). Only full names can be made so.
 */
export const isMisled = (req: IncomingMessage): boolean => strange.has(req);

const strange = new WeakSet<IncomingMessage>();

function isStrangeName(given: string | undefined, expected: string): boolean {
  if (given === undefined || !URL.canParse(`http://${given}`)) return given !== undefined;
  const name = new URL(`http://${given}`).hostname;
  const isAddress = isIP(name) !== 0 || name.startsWith('[');
  return name !== expected && !isAddress && name.includes('.') && !name.endsWith('.localhost');
}

/** Whether a request comes from this machine itself, by a name of its own, and no proxy says that it brings it for somebody else. */
export const cameDirectly = (req: IncomingMessage): boolean => direct.has(req);

const isOfProxy = (name: string): boolean =>
  name === 'forwarded' || name === 'via' || name === 'x-real-ip' || name.startsWith('x-forwarded-');

const isLoopback = (address = ''): boolean => plain(address).startsWith('127.') || address === '::1';

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
