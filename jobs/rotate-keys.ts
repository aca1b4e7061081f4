import type { Services } from '../flows/services.ts';
import { rotateWhenDue } from '../flows/signing-keys.ts';
import { hours, minutes } from '../lib/clock.ts';
import type { Job } from './schedule.ts';

/** New signing keys follow those that have served their time. */
export const rotatingKeys = ({ db, ring }: Services): Job => ({
  name: 'rotate signing keys',
  every: hours(6),
  lease: minutes(5),
  work: () => rotateWhenDue(db, ring),
});
