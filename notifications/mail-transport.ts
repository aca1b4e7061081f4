import { seconds } from '../lib/clock.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { GatewayError, isLoopback, type MailTransport, UnusableRecipientError } from './gateway.ts';

/**
 * Sends mail through the server that MAIL_URL names (`smtp://` or `smtps://`, with user and password where it wants them),
 * in the name of MAIL_FROM. A password is never sent in clear, except to this machine or where `?requireTLS=false` says so;
 * the server's certificate is checked, except on this machine.
 * Other options: `name` (what we say we are), `ignoreTLS`, `tls.servername`, `tls.rejectUnauthorized`.
 *
 * @throws where one of the two cannot be understood
 */
export function createMailTransport(settings: { mailUrl: string; mailFrom: string }): MailTransport {
  const from = readSender(settings.mailFrom);
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  const server = readServer(settings.mailUrl);
  let opened: ReturnType<typeof openTransport> | null = null;
  const transport = () => {
    opened ??= openTransport(server);
    return opened;
  };

  return {
    async send({ id, to, subject, text, html, logo }, signal) {
      const address = asciiAddress(to);
      if (address === null) throw new UnusableRecipientError();
      try {
        await (await transport()).sendMail({
          from: { ...from },
          to: { name: '', address },
          envelope: { from: from.address, to: [address] },
          messageId: `<${id.replace(/[^\w-]/g, '')}@${domain}>`,
          subject: oneLine(subject),
          text,
          html,
          ...(logo && {
            attachments: [
              {
                cid: 'logo',
                filename: `logo.${logo.type.slice('image/'.length)}`,
                contentType: logo.type,
                contentDisposition: 'inline' as const,
                content: Buffer.from(logo.data, 'base64'),
              },
            ],
          }),
          headers: { 'Auto-Submitted': 'auto-generated' },
          disableFileAccess: true,
          disableUrlAccess: true,
          signal,
        });
      } catch (error) {
        throw isNobody(error) ? new UnusableRecipientError() : new GatewayError(reasonOf(error));
      }
    },
    async check() {
      try {
        await (await transport()).verify();
      } catch (error) {
        throw new GatewayError(reasonOf(error));
      }
    },
    close: () => {
      void opened?.then(
        (transport) => transport.close(),
        () => {},
      );
    },
  };
}

/** What speaks SMTP is loaded with the first mail. */
async function openTransport(server: ReturnType<typeof readServer>) {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    ...server,
    pool: true,
    maxConnections: 5,
    maxRequeues: 0,
    connectionTimeout: seconds(10),
    greetingTimeout: seconds(10),
    socketTimeout: seconds(20),
    dnsTimeout: seconds(5),
    disableFileAccess: true,
    disableUrlAccess: true,
    logger: false,
  });
  // A connection that breaks while nothing is sent concerns no message: the next one opens another.
  transport.on('error', () => {});
  return transport;
}

/** A header is one line, whatever stands in the names that the subject is made of. */
const oneLine = (text: string) =>
  text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 250)
    .toWellFormed();

/**
 * The server says of the address itself that there is nobody, or that it can never be written to (RFC 3463, 3.2). Any other refusal may
 * be ours, or pass, and is tried again.
 */
function isNobody(error: unknown): boolean {
  const { response } = error as { readonly response?: unknown };
  return typeof response === 'string' && /^5\d\d[ -]5\.1\.(?:1|2|3|6|10)\b/.test(response);
}

/** What the server says may repeat addresses or text, so only its kind and number are told. */
function reasonOf(error: unknown): string {
  const { code, originalCode, responseCode } = error as { [field: string]: unknown };
  const words = [code, originalCode].filter((word) => typeof word === 'string' && /^[A-Z0-9_]+$/.test(word));
  if (typeof responseCode === 'number') words.push(responseCode);
  return words.join(' ') || 'unknown';
}

function readSender(mailFrom: string): { name: string; address: string } {
  const [, name = '', inBrackets] = /^\s*"?([^"<>\p{Cc}]*?)"?\s*<([^<>]*)>\s*$/u.exec(mailFrom) ?? [];
  const address = asciiAddress(inBrackets ?? mailFrom.trim());
  if (address === null) throw new Error('MAIL_FROM must be one address, as in "Acme <no-reply@acme.test>"');
  return { name, address };
}

function readServer(mailUrl: string) {
  if (!URL.canParse(mailUrl)) throw new Error('MAIL_URL is no address');
  const url = new URL(mailUrl);
  const secure = url.protocol === 'smtps:';
  if ((!secure && url.protocol !== 'smtp:') || url.hostname === '') {
    throw new Error('MAIL_URL must be smtp://host or smtps://host');
  }
  const options = readOptions(url.searchParams);
  const auth = url.username
    ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
    : null;
  const local = isLoopback(url.hostname);
  const { name, servername, rejectUnauthorized = !local, ignoreTLS = false } = options;
  const requireTLS = options.requireTLS ?? (auth !== null && !secure && !ignoreTLS && !local);

  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port ? Number(url.port) : secure ? 465 : 587,
    secure,
    requireTLS,
    ignoreTLS,
    ...(auth && { auth }),
    ...(name !== undefined && { name }),
    tls: {
      minVersion: 'TLSv1.2' as const,
      rejectUnauthorized,
      ...(servername !== undefined && { servername }),
    },
  };
}

interface ServerOptions {
  name?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
  requireTLS?: boolean;
  ignoreTLS?: boolean;
}

function readOptions(query: URLSearchParams): ServerOptions {
  const options: ServerOptions = {};
  for (const [key, value] of query) {
    if (key === 'name') options.name = value;
    else if (key === 'tls.servername') options.servername = value;
    else if (key === 'tls.rejectUnauthorized') options.rejectUnauthorized = readFlag(key, value);
    else if (key === 'requireTLS') options.requireTLS = readFlag(key, value);
    else if (key === 'ignoreTLS') options.ignoreTLS = readFlag(key, value);
    else throw new Error(`MAIL_URL has an option that is not known: ${key}`);
  }
  return options;
}

function readFlag(key: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new Error(`MAIL_URL: ${key} must be true or false`);
  return value === 'true';
}
