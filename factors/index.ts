import { device } from './device.ts';
import { email } from './email.ts';
import type { Factor } from './factor.ts';
import { passkey } from './passkey.ts';
import { sms } from './sms.ts';
import { totp } from './totp.ts';

/** Every factor there is, in the order of the table in product.md. A new one is its file, its view and its line here. */
export const factors: readonly Factor[] = [totp, passkey, email, sms, device];

/** Fails closed: what is not in the list is no factor. */
export function factorFor(method: string): Factor {
  const factor = factors.find(({ id }) => id === method);
  if (!factor) throw new Error(`there is no factor called ${JSON.stringify(method)}`);
  return factor;
}
