import { seconds } from '../lib/clock.ts';
import { GatewayError, isLoopback, type SmsGateway, UnusableRecipientError } from './gateway.ts';

/**
 * Sends text messages through what SMS_URL names: `https://…`, which gets POST JSON `{to, text}`, or
 * `twilio://SID:TOKEN@api.twilio.com?from=+15550100` (or any host with the same API).
 *
 * @throws where it cannot be understood
 */
export function createSmsGateway(smsUrl: string): SmsGateway {
  if (!URL.canParse(smsUrl)) throw new Error('SMS_URL is no address');
  const url = new URL(smsUrl);
  const requestFor = url.protocol === 'twilio:' ? twilio(url) : webhook(url);

  return {
    async send({ id, to, text }, signal) {
      if (!isPhoneNumber(to)) throw new UnusableRecipientError();
      await post(requestFor({ id, to, text }), signal);
    },
  };
}

/** A number as E.164 writes it. */
export const isPhoneNumber = (text: unknown): text is string =>
  typeof text === 'string' && /^\+[1-9]\d{6,14}$/.test(text);

interface Text {
  readonly id: string;
  readonly to: string;
  readonly text: string;
}

interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function webhook(url: URL): (text: Text) => Request {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Error('SMS_URL must start with https:// or twilio://');
  }
  const credentials = basicAuth(url);
  url.username = '';
  url.password = '';
  return ({ id, to, text }) => ({
    url: url.href,
    headers: { ...credentials, 'content-type': 'application/json', 'idempotency-key': id },
    body: JSON.stringify({ to, text }),
  });
}

function twilio(url: URL): (text: Text) => Request {
  const account = decodeURIComponent(url.username);
  // A plus sign that was not escaped reads as a blank.
  const from = (url.searchParams.get('from') ?? '').replace(/^ /, '+');
  if (!/^\w+$/.test(account) || url.password === '' || url.hostname === '' || from === '') {
    throw new Error('SMS_URL must be twilio://SID:TOKEN@host?from=+15550100');
  }
  const protocol = isLoopback(url.hostname) ? 'http' : 'https';
  const endpoint = `${protocol}://${url.host}/2010-04-01/Accounts/${account}/Messages.json`;
  const sender = /^MG[0-9a-f]{32}$/.test(from) ? { MessagingServiceSid: from } : { From: from };
  const headers = { ...basicAuth(url), 'content-type': 'application/x-www-form-urlencoded' };
  return ({ to, text }) => ({
    url: endpoint,
    headers,
    body: new URLSearchParams({ To: to, ...sender, Body: text }).toString(),
  });
}

function basicAuth({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

async function post({ url, headers, body }: Request, signal: AbortSignal): Promise<void> {
  let status: number;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, accept: 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(seconds(10))]),
    });
    status = response.status;
    await drain(response);
  } catch (error) {
    throw new GatewayError(reasonOf(error));
  }
  if (status < 200 || status > 299) throw new GatewayError(`HTTP ${status}`);
}

const mostBytes = 64 * 1024;

/** Nothing in the answer is used: a short one is read so that the connection can serve again, a long one is cut off. */
async function drain(response: Response): Promise<void> {
  let left = mostBytes;
  for await (const chunk of response.body ?? []) {
    left -= chunk.length;
    if (left < 0) return;
  }
}

/** Never the error's own words: they may hold the address with its credentials. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } };
  if (typeof cause?.code === 'string') return cause.code;
  return name === 'TimeoutError' || name === 'AbortError' ? 'ETIMEDOUT' : 'connection failed';
}
