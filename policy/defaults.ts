import { longestSession } from './session-lengths.ts';
import { methods, type Policy } from './types.ts';

/** The policy of an instance or organization that has decided nothing yet: nobody must, and everything may be used. */
export const defaultPolicy: Policy = {
  requirement: 'optional',
  others: 'optional',
  graceDays: 7,
  methods,
  rememberDeviceDays: 30,
  passkeyModels: null,
  sessions: longestSession,
  applications: 'all',
  adminsRequiredSince: null,
  allRequiredSince: null,
  changedAt: new Date(0),
};
