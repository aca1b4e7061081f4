import { domainToASCII, domainToUnicode } from 'node:url';

/**
 * True for exactly one plain address (RFC 5321 mailbox, local part as dot-atom): no list, group, display name, comment,
 * quoted local part, address literal or control character. The domain may be written in its own script.
 */
export const isSingleAddress = (text: unknown): text is string => asciiAddress(text) !== null;

/** RFC 5321 allows 254; a key column of MySQL holds this many, and nobody is told to have an account that cannot be stored. */
const longest = 191;

/** The address as mail servers write it, with an international domain as A-labels; null where it is not a single address. */
export function asciiAddress(text: unknown): string | null {
  if (typeof text !== 'string' || text.length > 254) return null;
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  if (at < 1 || local.length > 64 || !dotAtom.test(local)) return null;
  const domain = asciiDomain(text.slice(at + 1));
  if (domain === null) return null;
  const address = `${local}@${domain}`;
  return address.length <= longest ? address : null;
}

const dotAtom = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;
const hostName =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const letters = /^[\p{L}\p{M}\p{N}.-]+$/u;

/**
 * Null also for what the conversion would turn into another name than the one that people see: full-width letters,
 * invisible characters, numbers that become a network address.
 */
function asciiDomain(domain: string): string | null {
  if (!letters.test(domain)) return null;
  const ascii = domainToASCII(domain);
  if (!hostName.test(ascii) || /(?:^|\.)\d+$/.test(ascii)) return null;
  const shown = domain.normalize('NFC').toLowerCase();
  return shown === ascii || shown === domainToUnicode(ascii) ? ascii : null;
}
