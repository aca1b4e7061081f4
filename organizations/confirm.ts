import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import type { Action } from '../policy/permissions.ts';
import { basePath, framedBy, inSession, withProof } from './visit.ts';

/** Asks once more, with what it leads to, before the same address is posted to. */
export async function askOnceMore(
  visit: SignedIn,
  asked: {
    readonly title: Sentence;
    readonly consequences: readonly Sentence[];
    readonly button: string;
    /** Where it was asked from. */
    readonly cancel: string;
  },
): Promise<void> {
  const { ctx, site } = visit;
  show(ctx, site.renderer, 'confirm', {
    ...(await framedBy(visit)),
    ...asked,
    action: ctx.path,
    hidden: [],
    tone: 'danger',
    password: false,
    passwordError: null,
  });
}

/** The page that takes something of an organization away, at `path/remove`: the question, and the deed. */
export function takeAway(
  { get, post }: SignedInRoutes,
  path: `/:slug/${string}`,
  what: {
    readonly action: Action;
    /** @throws RequestError not_found */
    readonly nameOf: (visit: SignedIn) => Promise<string>;
    readonly consequences: readonly Sentence[];
    readonly remove: (visit: SignedIn) => Promise<'done' | 'not_found'>;
    readonly done: Sentence;
    /** Where its list is, below the organization's pages. */
    readonly list: string;
  },
): void {
  get(`${path}/remove`, inSession(what.action), async (visit) =>
    askOnceMore(visit, {
      title: { sentence: 'Remove {name}?', values: { name: await what.nameOf(visit) } },
      consequences: [...what.consequences, 'This cannot be undone.'],
      button: 'Remove',
      cancel: visit.ctx.path.replace(/\/remove$/, ''),
    }),
  );
  post(`${path}/remove`, withProof(what.action), async (visit) => {
    const { ctx, site } = visit;
    if ((await what.remove(visit)) === 'not_found') throw new RequestError('not_found');
    leaveFlash(ctx, site.services.ring, { tone: 'ok', text: what.done });
    ctx.status = 303;
    ctx.redirect(`${basePath(ctx)}/${what.list}`);
  });
}
