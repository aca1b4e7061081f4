import { asChosen } from '../device-name.ts';
import type { GalleryPage } from '../gallery.ts';
import type { Chart, Drawing } from '../organization-pages.ts';
import type { FramedPage } from '../pages.ts';
import { at, base, by, rows } from './samples.ts';

/** The overview and the passkeys, in every state. */
export function overviewGallery(shared: FramedPage): readonly GalleryPage[] {
  const figures = [
    {
      value: '74 %',
      text: {
        sentence: 'has a second factor ({n} of {of})|have a second factor ({n} of {of})',
        values: { n: 23, of: 31 },
      },
      url: `${base}/members`,
    },
    {
      value: '8',
      text: { sentence: 'still to set up|still to set up', values: { n: 8 } },
      url: `${base}/members`,
    },
    { value: '96 %', text: "of last week's sign-ins used one", url: null },
  ] as const;
  const drawing: Drawing = {
    width: 720,
    height: 210,
    lines: [
      { kind: 'grid', d: 'M44 20H700M44 180H700' },
      { kind: 'area', d: 'M44 100 L300 60 L300 180 L44 180Z' },
      { kind: 'line', d: 'M44 100 L300 60' },
      { kind: 'ahead', d: 'M300 60 L660 20' },
      { kind: 'deadline', d: 'M660 12V180' },
    ],
    bars: [
      { x: 60, y: 120, width: 30, height: 60, kind: 'rest' },
      { x: 60, y: 150, width: 30, height: 30, kind: 'bar' },
    ],
    texts: [
      { x: 36, y: 24, anchor: 'end', kind: 'scale', text: '31' },
      { x: 44, y: 202, anchor: 'start', kind: 'scale', text: at },
      { x: 654, y: 172, anchor: 'end', kind: 'deadline', text: { sentence: 'deadline' } },
      { x: 300, y: 50, anchor: 'middle', kind: 'value', text: '23' },
    ],
  };
  const chart: Chart = {
    title: "Enrolment until the policy's deadline",
    label: {
      sentence: 'People with a second factor: {from} at first, {to} today, of {of}.',
      values: { from: 17, to: 23, of: 31 },
    },
    wide: drawing,
    narrow: drawing,
    head: ['Day', 'With a second factor', 'Members'],
    rows: [
      [at, 17, 31],
      [by, 23, ''],
    ],
  };
  const overview = {
    ...shared,
    status: { sentence: 'Required for all in {n} day|Required for all in {n} days', values: { n: 5 } },
    figures,
    charts: [chart],
    overdue: rows,
    overdueTotal: 12,
    overdueUrl: `${base}/members?state=overdue`,
    remind: { action: `${base}/two-factor/remind`, people: 8 },
  };
  const passkeys = {
    ...shared,
    action: `${base}/passkeys`,
    version: 'sample',
    isOn: true,
    isAvailable: true,
    isOnly: false,
    figures: [
      { value: '11', text: 'with a passkey', url: null },
      { value: '8', text: 'without any second factor', url: null },
      { value: '35 %', text: 'of all members have one', url: null },
    ],
    recent: [
      {
        url: `${base}/members/1`,
        name: 'Ada Lindqvist',
        email: 'ada@acme.test',
        passkey: asChosen('Laptop'),
        at,
      },
      { url: `${base}/members/2`, name: 'Ben Okafor', email: 'ben@acme.test', passkey: null, at },
    ],
    note: null,
  } as const;

  return [
    { name: 'organizations/overview', state: 'on the way', locals: overview },
    {
      name: 'organizations/overview',
      state: 'nobody overdue',
      locals: { ...overview, status: 'Optional', overdue: [], overdueTotal: 0, remind: null },
    },
    { name: 'organizations/passkeys', state: 'on', locals: passkeys },
    {
      name: 'organizations/passkeys',
      state: 'off, nobody has one',
      locals: {
        ...passkeys,
        isOn: false,
        recent: [],
        note: {
          tone: 'danger',
          text: 'Somebody else has changed the policy since you opened this page. Nothing was saved.',
        },
      },
    },
    { name: 'organizations/passkeys', state: 'the only method', locals: { ...passkeys, isOnly: true } },
    { name: 'organizations/passkeys', state: 'not offered', locals: { ...passkeys, isAvailable: false } },
  ];
}
