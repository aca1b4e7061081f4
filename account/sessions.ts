import { endOtherSessions, endOwnSession } from '../flows/end-own-sessions.ts';
import { readSessions } from '../flows/read-sessions.ts';
import { deviceName } from '../http/device-name.ts';
import { RequestError } from '../http/errors.ts';
import { show } from '../http/show.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { done } from './factors.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

const page = '/account/sessions';

/** Where the person is signed in. Ending a session asks for nothing: it only makes things stricter. */
export function sessionRoutes({ get, post }: SignedInRoutes): void {
  get('/sessions', own, async (visit) => {
    const { ctx, site, actor } = visit;
    const sessions = await readSessions(site.services, actor.user.id);
    show(ctx, site.renderer, 'account/sessions', {
      ...framed(visit, section),
      sessions: sessions.map(({ row, startedAt, seenAt, origin, applications }) => ({
        name: deviceName(origin?.userAgent ?? null),
        from: origin?.ip ?? null,
        startedAt,
        seenAt,
        applications,
        isThis: row.uid_digest === actor.sessionDigest,
        end: `${page}/${row.uid_digest}/end`,
      })),
      endOthers: sessions.length > 1 ? `${page}/end-others` : null,
    });
  });

  post('/sessions/end-others', own, async (visit) => {
    await endOtherSessions(visit.site.services, visit.actor);
    done(visit, 'Everywhere else you are signed out.', 'ok', page);
  });

  post('/sessions/:id/end', own, async (visit) => {
    const { ctx, site, actor } = visit;
    if (!(await endOwnSession(site.services, actor, String(ctx.params.id)))) {
      throw new RequestError('not_found');
    }
    done(visit, 'The session was ended.', 'ok', page);
  });
}
