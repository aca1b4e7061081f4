import { ownAccount } from '../http/signed-in.ts';

/** Pages and forms of the person, in a session. */
export const own = { assurance: 'session', permission: ownAccount } as const;

/** What changes how somebody gets in. */
export const dangerous = { assurance: 'fresh proof', permission: ownAccount } as const;
