import { applicationById } from '../entities/applications.ts';
import { linkEnded } from '../http/errors.ts';
import { openRoutes } from '../http/open-pages.ts';
import type { Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { Site } from '../http/site.ts';
import { acr1fa, acr2fa, acr2sv, acrPhr, acrRemembered } from '../policy/assurance.ts';
import { readTestSignIn, testResult, testSignInPath } from '../provider/test-sign-in.ts';
import { textOf } from './visit.ts';

/** The end of a test sign-in, whoever has signed in: what the application would have got. */
export function testSignInRoutes(site: Site) {
  const { router, get } = openRoutes(site);
  get(`${testSignInPath}/:test`, 'a test that an admin began', async ({ ctx, shared }) => {
    const { services, provider, renderer } = site;
    const begun = readTestSignIn(services, String(ctx.params.test));
    if (!begun) throw linkEnded({ label: 'Your account', url: '/account' });
    const { clientId, slug } = begun;
    const application = `/organizations/${encodeURIComponent(slug)}/applications/${encodeURIComponent(clientId)}`;
    const again = `${application}/test`;
    const back = { label: 'Back to the application', url: application };
    const row = await applicationById(services.db, clientId);
    if (!row) throw linkEnded({ label: 'Your account', url: '/account' });
    const page = {
      ...shared,
      brand: { ...shared.brand },
      applicationName: null,
      name: row.name,
      again,
      back: application,
    };
    const { error, error_description: description, code } = ctx.query;
    if (error !== undefined) {
      show(ctx, renderer, 'test-sign-in', {
        ...page,
        result: {
          kind: 'refused',
          code: textOf(error).slice(0, 100),
          told: textOf(description).slice(0, 500) || null,
        },
      });
      return;
    }
    const result = await testResult(services, provider, ctx as never, {
      clientId,
      address: ctx.path,
      code: textOf(code),
    });
    if (result.kind === 'ended') throw linkEnded({ label: 'Test once more', url: again }, back);
    show(ctx, renderer, 'test-sign-in', {
      ...page,
      result: {
        ...result,
        meaning: meanings[result.acr ?? ''] ?? 'How the person signed in is not known.',
        amr: result.amr.join(' '),
        idToken: JSON.stringify(result.idToken, null, 2),
        userinfo: JSON.stringify(result.userinfo, null, 2),
      },
    });
  });
  return router;
}

const meanings: Readonly<Record<string, Sentence>> = {
  [acr1fa]: 'One step alone, mostly a password.',
  [acrRemembered]: 'One step, on a remembered device: no second factor was used.',
  [acr2sv]: 'Two steps, of which the second was a code by e-mail: no second factor.',
  [acr2fa]: 'Two factors.',
  [acrPhr]: 'A passkey, which cannot be given to a false site.',
};
