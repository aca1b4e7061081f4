import { secret } from '../front-door/rig.ts';
import { world } from './person.ts';
import { type Walk, walkThrough } from './walk.ts';

const acme = '/organizations/acme';

const walks: Walk[] = [{ name: 'overview', who: 'ada', path: acme, shows: /Overview/, always: true }];

walkThrough(
  'every page of an organization, empty, full and wrong, by keyboard alone: no finding of axe, every control reached and seen, nothing wider than 320 pixels (T086, T099)',
  (t) =>
    world(t, { requirement: 'optional', methods: ['totp'] }, {
      ada: { role: 'owner', totp: secret },
    } as never),
  walks,
);
