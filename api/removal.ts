import type * as z from 'zod';
import type { OrganizationVisit } from '../flows/organization-actor.ts';
import { RequestError } from '../http/errors.ts';
import { organizationFor } from './caller.ts';
import { type ApiSite, type Operation, operation } from './operation.ts';
import type { inOrganization } from './schemas.ts';

/** What takes one thing of an organization away: nothing to send, nothing in the answer, and 404 for what is not theirs. */
export const removal = <Params extends typeof inOrganization>(
  definition: Pick<Operation, 'id' | 'path' | 'tag' | 'summary' | 'scope'> & {
    readonly params: Params;
    /** Whether there was something to take away. */
    readonly remove: (
      services: ApiSite['services'],
      visit: OrganizationVisit,
      params: z.output<Params>,
    ) => Promise<boolean>;
  },
): Operation => {
  const { remove, ...named } = definition;
  return operation({
    ...named,
    verb: 'delete',
    fresh: true,
    query: null,
    body: null,
    status: 204,
    answer: null,
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const given = params as z.output<Params> & z.output<typeof inOrganization>;
      const visit = await organizationFor(site, caller, given.organization);
      if (!(await remove(site.services, visit, given))) throw new RequestError('not_found');
      return { status: 204 };
    },
  });
};
