import { type SignedInRoutes, signedInRoutes } from '../http/signed-in.ts';
import type { Site } from '../http/site.ts';
import { applicationRoutes } from './applications.ts';
import { approvalRoutes } from './approvals.ts';
import { connectionRoutes } from './connections.ts';
import { deviceRoutes } from './devices.ts';
import { factorRoutes } from './factors.ts';
import { historyRoutes } from './history.ts';
import { joinRoutes } from './invitation.ts';
import { organizationRoutes } from './organizations.ts';
import { overviewRoutes } from './overview.ts';
import { passwordRoutes } from './password.ts';
import { phoneRoutes } from './phone.ts';
import { profileRoutes } from './profile.ts';
import { recoveryCodeRoutes } from './recovery-codes.ts';
import { sessionRoutes } from './sessions.ts';
import { setUpRoutes } from './set-up.ts';
import { signOutRoutes } from './sign-out.ts';

/** A member's own pages. Whatever they do, they do to the person of the session, and to nobody whom the request names. */
export function accountRoutes(site: Site): SignedInRoutes['router'] {
  const pages = signedInRoutes(site, '/account', () => '/account');
  overviewRoutes(pages);
  setUpRoutes(pages);
  factorRoutes(pages);
  recoveryCodeRoutes(pages);
  deviceRoutes(pages);
  passwordRoutes(pages);
  connectionRoutes(pages);
  approvalRoutes(pages);
  joinRoutes(pages);
  sessionRoutes(pages);
  historyRoutes(pages);
  applicationRoutes(pages);
  organizationRoutes(pages);
  profileRoutes(pages);
  phoneRoutes(pages);
  signOutRoutes(pages);
  return pages.router;
}
