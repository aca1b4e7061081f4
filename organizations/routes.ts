import { type SignedInRoutes, signedInRoutes } from '../http/signed-in.ts';
import type { Site } from '../http/site.ts';
import { apiAccessRoutes } from './api-access.ts';
import { applicationRoutes } from './applications.ts';
import { auditRoutes } from './audit.ts';
import { brandingRoutes } from './branding.ts';
import { importRoutes, inviteRoutes } from './invite.ts';
import { memberRoutes } from './members.ts';
import { overviewRoutes } from './overview.ts';
import { providerRoutes } from './providers.ts';
import { twoFactorRoutes } from './two-factor.ts';
import { basePath } from './visit.ts';

/** The pages of owners and admins. Each is authorised for the very organization and person that its path names. */
export function organizationRoutes(site: Site): SignedInRoutes['router'] {
  const pages = signedInRoutes(site, '/organizations', basePath);
  overviewRoutes(pages);
  twoFactorRoutes(pages);
  memberRoutes(pages);
  inviteRoutes(pages);
  applicationRoutes(pages);
  providerRoutes(pages);
  auditRoutes(pages);
  apiAccessRoutes(pages);
  return pages.router;
}

/** The pages that take a file. */
export function organizationUploads(site: Site): SignedInRoutes['router'] {
  const pages = signedInRoutes(site, '/organizations', basePath, { uploads: true });
  brandingRoutes(pages);
  importRoutes(pages);
  return pages.router;
}
