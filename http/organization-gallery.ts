import type { GalleryPage } from './gallery.ts';
import { apiAccessGallery } from './organization-gallery/api-access.ts';
import { applicationsGallery } from './organization-gallery/applications.ts';
import { auditGallery } from './organization-gallery/audit.ts';
import { brandingGallery } from './organization-gallery/branding.ts';
import { inviteGallery } from './organization-gallery/invite.ts';
import { membersGallery } from './organization-gallery/members.ts';
import { overviewGallery } from './organization-gallery/overview.ts';
import { providersGallery } from './organization-gallery/providers.ts';
import { base } from './organization-gallery/samples.ts';
import { twoFactorGallery } from './organization-gallery/two-factor.ts';
import type { FramedPage } from './pages.ts';

/** The pages of owners and admins with sample values, in every state. */
export function organizationGallery(framed: FramedPage): readonly GalleryPage[] {
  const shared: FramedPage = {
    ...framed,
    frame: {
      ...framed.frame,
      section: 'Organization',
      pages: [
        { label: 'Overview', url: base, current: null },
        { label: 'Two-factor authentication', url: `${base}/two-factor`, current: 'page' },
        { label: 'Members', url: `${base}/members`, current: null },
        { label: 'Passkeys', url: `${base}/passkeys`, current: null },
        { label: 'Applications', url: `${base}/applications`, current: null },
        { label: 'Audit log', url: `${base}/audit`, current: null },
        { label: 'Branding', url: `${base}/branding`, current: null },
        { label: 'API access', url: `${base}/api-access`, current: null },
      ],
    },
  };
  return [
    ...twoFactorGallery(shared),
    ...membersGallery(shared),
    ...inviteGallery(shared),
    ...overviewGallery(shared),
    ...auditGallery(shared),
    ...applicationsGallery(shared),
    ...providersGallery(shared),
    ...brandingGallery(shared),
    ...apiAccessGallery(shared),
  ];
}
