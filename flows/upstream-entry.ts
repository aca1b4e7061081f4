import * as z from 'zod';
import { upstreamAuthentications } from '../entities/upstream-providers.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { upstreamSecondFactors } from '../policy/upstream.ts';

/** What may be decided about an upstream provider, the same for configuration files, the API and pages. */

const isLoopback = (hostname: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** OpenID Connect Discovery 1.0 §2: https, no query, no fragment. Plain http only on this very machine, for trying. */
const issuer = z
  .string()
  .max(1000, 'must have at most 1000 characters')
  .refine((text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname, search, hash, username, password } = new URL(text);
    const isOpen = search === '' && hash === '' && username === '' && password === '' && !/[?#]/.test(text);
    return isOpen && (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)));
  }, 'must be the issuer of an OpenID provider: an https address without query or fragment');

/** A value of `acr`, `amr` or a scope: RFC 6749 §3.3. */
const word = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'must be one word of printable ASCII characters');

/** An e-mail domain, in the spelling in which it is compared. */
export const emailDomain = z
  .string()
  .max(191, 'must have at most 191 characters')
  .transform((text, context) => {
    const ascii = asciiAddress(`x@${text.trim().toLowerCase()}`);
    if (ascii?.includes('.')) return ascii.slice(2);
    context.issues.push({
      code: 'custom',
      message: 'must be an e-mail domain, such as acme.example',
      input: text,
    });
    return z.NEVER;
  });

const claimName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'must be the name of a claim');

export const upstreamShape = {
  name: z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(60, 'must have at most 60 characters')
    .regex(oneLinePattern, 'must be one line without control characters')
    .refine((text) => text.isWellFormed(), 'must be text')
    .optional(),
  issuer: issuer.optional(),
  clientId: z
    .string()
    .regex(/^[\x21-\x7e]{1,500}$/, 'must be 1 to 500 ASCII characters without blanks')
    .optional(),
  authentication: z.enum(upstreamAuthentications).optional(),
  scopes: z
    .array(word)
    .max(30, 'must have at most 30 entries')
    .refine((list) => list.includes('openid'), 'must contain openid')
    .optional(),
  secondFactor: z.enum(upstreamSecondFactors).optional(),
  trusted: z
    .strictObject({
      acr: z.array(word).max(30, 'must have at most 30 entries').optional(),
      amr: z.array(word).max(30, 'must have at most 30 entries').optional(),
    })
    .optional(),
  createAccounts: z.boolean().optional(),
  role: z.enum(['member', 'admin']).optional(),
  claims: z
    .strictObject({
      email: claimName.optional(),
      emailVerified: claimName.optional(),
      name: claimName.optional(),
      locale: claimName.optional(),
    })
    .optional(),
  button: z.boolean().optional(),
  signOut: z.boolean().optional(),
  enabled: z.boolean().optional(),
};

export const upstreamSecret = z
  .string()
  .regex(/^[\x20-\x7e]{1,1024}$/, 'must be 1 to 1024 printable ASCII characters');

export const upstreamChange = z.strictObject(upstreamShape);
export type UpstreamChange = z.output<typeof upstreamChange>;
