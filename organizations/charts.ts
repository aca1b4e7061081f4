import { factors } from '../factors/index.ts';
import type { Overview } from '../flows/read-overview.ts';
import type { Chart, Drawing } from '../http/organization-pages.ts';
import { days } from '../lib/clock.ts';

/** Charts as shapes and texts: readable without colour, and each with its numbers as a table. */

const top = 20;
const bottom = 180;

interface Room {
  readonly width: number;
  readonly left: number;
  readonly right: number;
}

/** In units of about one pixel, so that letters are as large on a phone as on a desk. */
const wide: Room = { width: 720, left: 44, right: 700 };
const narrow: Room = { width: 300, left: 36, right: 296 };
const round = (n: number): number => Math.round(n * 10) / 10;

/** People with a second factor over time, on the way to the deadline. */
export function enrolmentChart(overview: Overview, now: Date): Chart {
  const known = overview.days.flatMap(({ at, setUp, members }) =>
    setUp === null ? [] : [{ at, setUp, members }],
  );
  const needed = overview.figures.members;
  const most = Math.max(needed, ...known.map(({ setUp }) => setUp), 1);
  const first = known[0]?.at ?? now;
  const deadline = overview.deadline !== null && overview.deadline > first ? overview.deadline : null;
  const end = new Date(Math.max(now.getTime(), deadline?.getTime() ?? 0, first.getTime() + days(1)));
  const last = known.at(-1);
  // People are whole: a tick in the middle only where it is one.
  const ticks = most % 2 === 0 ? [0, most / 2, most] : [0, most];
  const draw = ({ width, left, right }: Room): Drawing => {
    const x = (at: Date) =>
      round(left + ((at.getTime() - first.getTime()) / (end.getTime() - first.getTime())) * (right - left));
    const y = (n: number) => round(bottom - (n / most) * (bottom - top));
    // Its word stands where there is room for it.
    const isEarly = (place: number) => place < left + 80;
    // One day alone is a point: a line needs two.
    const path =
      known.length === 1 && last
        ? `M${x(last.at)} ${y(last.setUp)}h6`
        : known.map(({ at, setUp }, n) => `${n === 0 ? 'M' : 'L'}${x(at)} ${y(setUp)}`).join(' ');
    return {
      width,
      height: 210,
      lines: [
        { kind: 'grid', d: ticks.map((n) => `M${left} ${y(n)}H${right}`).join('') },
        ...(last ? [{ kind: 'area', d: `${path} L${x(last.at)} ${bottom} L${left} ${bottom}Z` }] : []),
        { kind: 'line', d: path || `M${left} ${bottom}` },
        ...(last && deadline && deadline > last.at
          ? [{ kind: 'ahead', d: `M${x(last.at)} ${y(last.setUp)} L${x(deadline)} ${y(needed)}` }]
          : []),
        ...(deadline ? [{ kind: 'deadline', d: `M${x(deadline)} ${top - 8}V${bottom}` }] : []),
      ],
      bars: [],
      texts: [
        ...ticks.map((n) => ({
          x: left - 8,
          y: y(n) + 4,
          anchor: 'end' as const,
          kind: 'scale',
          text: String(n),
        })),
        { x: left, y: bottom + 22, anchor: 'start', kind: 'scale', text: first },
        { x: right, y: bottom + 22, anchor: 'end', kind: 'scale', text: end },
        ...(deadline
          ? [
              {
                x: x(deadline) + (isEarly(x(deadline)) ? 6 : -6),
                y: bottom - 8,
                anchor: isEarly(x(deadline)) ? ('start' as const) : ('end' as const),
                kind: 'deadline',
                text: { sentence: 'deadline' },
              },
            ]
          : []),
        ...(last
          ? [
              {
                x: Math.min(Math.max(x(last.at), left + 14), right - 10),
                y: y(last.setUp) - 10,
                anchor: 'middle' as const,
                kind: 'value',
                text: String(last.setUp),
              },
            ]
          : []),
      ],
    };
  };
  return {
    title: deadline && deadline > now ? "Enrolment until the policy's deadline" : 'Enrolment',
    label: {
      sentence:
        deadline && deadline > now
          ? 'People with a second factor: {from} at first, {to} today, of {of}. Whoever joined later has longer than the deadline that is drawn.'
          : 'People with a second factor: {from} at first, {to} today, of {of}.',
      values: { from: known[0]?.setUp ?? 0, to: last?.setUp ?? 0, of: needed },
    },
    wide: draw(wide),
    narrow: draw(narrow),
    head: ['Day', 'With a second factor', 'Members'],
    rows: known.map(({ at, setUp, members }) => [at, setUp, members ?? '']),
  };
}

/** Which methods people have; one person may have several. */
export function methodsChart({ figures }: Overview): Chart {
  const rows = [
    ...factors.map(({ id, label }) => ({ label, n: figures.byMethod[id] })),
    { label: 'None', n: figures.members - figures.twoFactorOn },
  ];
  const most = Math.max(1, ...rows.map(({ n }) => n));
  const step = 34;
  const bars = (width: number, x: number, longest: number, beside: boolean): Drawing => {
    const lane = beside ? step : 48;
    const y = (index: number) => index * lane + (beside ? 8 : 24);
    const length = (n: number) => round(Math.max(2, (n / most) * longest));
    return {
      width,
      height: rows.length * lane + 10,
      lines: [],
      bars: rows.map(({ n, label }, index) => ({
        x,
        y: y(index),
        width: length(n),
        height: 20,
        kind: label === 'None' ? 'none' : 'bar',
      })),
      texts: rows.flatMap(({ label, n }, index) => [
        beside
          ? { x: x - 10, y: y(index) + 15, anchor: 'end', kind: 'scale', text: { sentence: label } }
          : { x, y: y(index) - 6, anchor: 'start', kind: 'scale', text: { sentence: label } },
        {
          x: round(x + length(n) + 8),
          y: y(index) + 15,
          anchor: 'start' as const,
          kind: 'value',
          text: String(n),
        },
      ]),
    };
  };
  return {
    title: 'Methods in use',
    label: 'How many people have each method. One person may have several.',
    wide: bars(wide.width, 190, 440, true),
    narrow: bars(narrow.width, 2, 230, false),
    head: ['Method', 'People'],
    rows: rows.map(({ label, n }) => [{ sentence: label }, n]),
  };
}

/** Sign-ins of each day, and which of them used a second factor. */
export function signInsChart(overview: Overview): Chart {
  const shown = overview.days.slice(-14);
  const most = Math.max(1, ...shown.map(({ signIns }) => signIns));
  const height = (n: number) => round((n / most) * (bottom - top));
  const draw = ({ width, left, right }: Room): Drawing => {
    const step = (right - left) / Math.max(1, shown.length);
    return {
      width,
      height: 210,
      lines: [{ kind: 'grid', d: `M${left} ${bottom}H${right}M${left} ${top}H${right}` }],
      bars: shown.flatMap(({ signIns, strong }, n) => {
        // A single day is a bar too, not a wall.
        const thick = Math.min(step * 0.7, 56);
        const bar = { x: round(left + n * step + (step - thick) / 2), width: round(thick) };
        return [
          { ...bar, y: bottom - height(signIns), height: height(signIns), kind: 'rest' },
          { ...bar, y: bottom - height(strong), height: height(strong), kind: 'bar' },
        ];
      }),
      texts: [
        { x: left - 8, y: top + 4, anchor: 'end', kind: 'scale', text: String(most) },
        { x: left - 8, y: bottom + 4, anchor: 'end', kind: 'scale', text: '0' },
        ...(shown[0]
          ? [{ x: left, y: bottom + 22, anchor: 'start' as const, kind: 'scale', text: shown[0].at }]
          : []),
        ...(shown.length > 1
          ? [
              {
                x: right,
                y: bottom + 22,
                anchor: 'end' as const,
                kind: 'scale',
                text: shown.at(-1)?.at ?? '',
              },
            ]
          : []),
      ],
    };
  };
  return {
    title: 'Sign-ins with a second factor',
    label: {
      sentence:
        'In the last seven days, {strong} of {n} sign-in used a second factor. The outlines are all sign-ins of a day, what is filled those with a second factor.|In the last seven days, {strong} of {n} sign-ins used a second factor. The outlines are all sign-ins of a day, what is filled those with a second factor.',
      values: { strong: overview.lastWeek.strong, n: overview.lastWeek.signIns },
    },
    wide: draw(wide),
    narrow: draw(narrow),
    head: ['Day', 'Sign-ins', 'With a second factor'],
    rows: shown.map(({ at, signIns, strong }) => [at, signIns, strong]),
  };
}
