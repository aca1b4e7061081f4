import { storedName } from '../device-name.ts';
import { eventGroups } from '../event-words.ts';
import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { at, base, option } from './samples.ts';

/** The audit log, in every state. */
export function auditGallery(shared: FramedPage): readonly GalleryPage[] {
  const audit = {
    ...shared,
    action: `${base}/audit`,
    types: [option('', 'Everything', true)],
    typeGroups: Object.entries(eventGroups).map(([label, words]) => ({
      label,
      options: Object.entries(words).map(([value, word]) => option(value, word)),
    })),
    person: '',
    applications: [option('', 'Any application', true)],
    since: '',
    until: '',
    isFiltered: false,
    problems: {},
    rows: [
      {
        at,
        what: 'Second factor reset',
        type: 'two_factor.reset',
        who: 'ben@acme.test',
        by: 'ada@acme.test',
        application: null,
        from: '203.0.113.7',
        device: storedName('Chrome on Linux'),
        facts: [{ name: 'reason', value: 'lost phone' }],
        position: 2,
      },
      {
        at,
        what: 'Signed in',
        type: 'sign_in.succeeded',
        who: null,
        by: null,
        application: 'Flight Planner',
        from: null,
        device: null,
        facts: [],
        position: 1,
      },
    ],
    first: null,
    next: `${base}/audit?before=1`,
    csv: `${base}/audit-export?format=csv`,
    jsonLines: `${base}/audit-export?format=jsonl`,
  } as const;

  return [
    { name: 'organizations/audit', state: 'some', locals: audit },
    {
      name: 'organizations/audit',
      state: 'wrong filter',
      locals: {
        ...audit,
        rows: [],
        isFiltered: true,
        since: '2026-99-99',
        problems: { since: 'This filter cannot be read, so nothing is shown. Choose another, or show all.' },
        first: `${base}/audit`,
        next: null,
      },
    },
  ];
}
