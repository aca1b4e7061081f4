import { createGuardrails, generateSync } from 'otplib';
import { totpSecret } from '../demo/people.ts';
import { fromSecret } from '../factors/totp.ts';
import { CommandError } from './readable-error.ts';

/** `sallyport code`: an authenticator app for whoever tries the demo. */
export function showCode(secret: string = totpSecret): void {
  const read = fromSecret(secret);
  if (!read) {
    throw new CommandError('this is no authenticator secret: it must be base32, at least 10 bytes long');
  }
  const now = Math.floor(Date.now() / 1000);
  const code = generateSync({
    secret: read.secret,
    epoch: now,
    guardrails: createGuardrails({ MIN_SECRET_BYTES: 10 }),
  });
  console.log(`${code}   for ${30 - (now % 30)} more seconds; each code works once`);
}
