import { applicationOperations } from './applications.ts';
import { auditOperations } from './audit.ts';
import { brandingOperations } from './branding.ts';
import { invitationOperations } from './invitations.ts';
import { memberOperations } from './members.ts';
import type { Operation } from './operation.ts';
import { organizationOperations } from './organizations.ts';
import { peopleOperations } from './people.ts';
import { providerOperations } from './providers.ts';

/** All that the API can do. */
export const operations: readonly Operation[] = [
  ...organizationOperations,
  ...brandingOperations,
  ...memberOperations,
  ...invitationOperations,
  ...peopleOperations,
  ...applicationOperations,
  ...providerOperations,
  ...auditOperations,
];
