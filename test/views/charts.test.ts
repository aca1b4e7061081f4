import test from 'ava';
import type { Overview } from '../../flows/read-overview.ts';
import { enrolmentChart } from '../../organizations/charts.ts';

const now = new Date('2026-11-22T09:30:00Z');
const overviewOf = (members: number, setUp: number): Overview =>
  ({
    figures: { members },
    deadline: null,
    days: [{ at: new Date('2026-11-01T00:00:00Z'), setUp, members, signIns: 0, strong: 0 }],
    // What this chart does not read.
  }) as unknown as Overview;

test('the scale of a chart of people has whole numbers only, at the height that they mean, also on a phone', (t) => {
  for (const [members, scale] of [
    [1, ['0', '1']],
    [5, ['0', '5']],
    [6, ['0', '3', '6']],
    [31, ['0', '31']],
    [100, ['0', '50', '100']],
  ] as const) {
    const { wide, narrow } = enrolmentChart(overviewOf(members, 1), now);
    for (const { texts, width } of [wide, narrow]) {
      const shown = texts.filter(({ kind, text }) => kind === 'scale' && typeof text === 'string');
      t.deepEqual(
        shown.map(({ text }) => text),
        scale,
      );
      t.true(texts.every(({ x }) => x >= 0 && x <= width));
    }
  }
});
