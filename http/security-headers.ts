import type { Context, Next } from 'koa';
import { madeOnce } from '../lib/made-once.ts';

const policy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers of every answer, errors too (security.md T108). Referrers stay on this host, and forms can still say where they come from. */
export function securityHeaders(issuer: string) {
  const https = issuer.startsWith('https:');
  return async (ctx: Context, next: Next): Promise<void> => {
    ctx.set({
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'same-origin',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cache-Control': 'no-store',
      'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=()',
      ...(https ? { 'Strict-Transport-Security': 'max-age=63072000; includeSubDomains' } : {}),
    });
    await next();
  };
}

/** Browsers hold a form's redirects to this too, so the page names where its sign-in may lead. */
export function allowFormTargets(ctx: Context, targets: readonly string[]): void {
  const origins = targets.map((target) => sourceOf(target).expression);
  ctx.set('Content-Security-Policy', `${policy}; form-action 'self' ${[...new Set(origins)].join(' ')}`);
}

/** What a policy calls the place that an address leads to: an app's own scheme has no origin. */
const sourceOf = madeOnce(500, (target) => {
  const { protocol, origin } = new URL(target);
  return { expression: origin === 'null' ? protocol : origin };
});
