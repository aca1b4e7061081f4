import type { Context } from 'koa';
import type { Json } from '../factors/factor.ts';
import { factorFor } from '../factors/index.ts';
import { seconds } from '../lib/clock.ts';
import type { Method } from '../policy/types.ts';
import type { EnrolPage, Resend, ShownFactor } from './pages.ts';
import type { Form } from './signed-in.ts';
import type { Site } from './site.ts';

/** What a factor's own view is given. */
export const shownFactor = (method: Method, shown: Json): ShownFactor => ({
  ...(shown instanceof Object && !Array.isArray(shown) ? shown : {}),
  method,
});

/** How soon something can be sent once more, so that nobody sends twice while the first is on its way. */
const resendAfter = seconds(30);

/** "Send a new code", with its count-down; null where nothing was sent. */
export function resendForm(
  { site }: { readonly ctx: Context; readonly site: Pick<Site, 'services'> },
  action: string,
  sentAt: number | null,
): Resend | null {
  if (sentAt === null) {
    return null;
  }
  const left = sentAt + resendAfter - site.services.db.clock.now().getTime();
  return { action, after: sentAt, secondsLeft: Math.max(0, Math.ceil(left / 1000)) };
}

/** True of a form whose message was sent already: shown is what is so now. */
export const wasSent = (form: Form, sentAt: number | null): boolean =>
  typeof form.after === 'string' && form.after !== String(sentAt ?? 0);

/** The methods to choose from. The first is preferred; where scripts do not run, the first that works without is checked. */
export function methodChoices(
  offered: readonly Method[],
  chosen: Method | null = null,
): Pick<EnrolPage, 'methods' | 'chosen' | 'preferred'> {
  const choices = offered.map((method) => {
    const { label, description, isSignature = false } = factorFor(method);
    return { method, label, description, needsScript: isSignature };
  });
  const works = choices.find(({ needsScript }) => !needsScript)?.method ?? choices[0]?.method ?? null;
  const first = choices[0]?.method ?? null;
  return {
    methods: choices,
    chosen: chosen ?? works,
    preferred: chosen === null && first !== works ? first : null,
  };
}
