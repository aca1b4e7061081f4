import { forgetOwnDevices } from '../flows/forget-own-devices.ts';
import { RequestError } from '../http/errors.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { done } from './factors.ts';
import { own } from './rules.ts';

/** Remembered devices: forgetting one asks for nothing, as it only makes the next sign-in stricter. */
export function deviceRoutes({ post }: SignedInRoutes): void {
  post('/devices/forget-all', own, async (visit) => {
    await forgetOwnDevices(visit.site.services, visit.actor, 'all');
    visit.site.cookie.write(visit.ctx, visit.browser.forgotten(visit.actor.user.id));
    done(visit, 'All remembered devices are forgotten.');
  });

  post('/devices/:id/forget', own, async (visit) => {
    const id = String(visit.ctx.params.id);
    if (!(await forgetOwnDevices(visit.site.services, visit.actor, id))) {
      throw new RequestError('not_found');
    }
    done(visit, 'The device is forgotten. It is asked for a second step at the next sign-in.');
  });
}
