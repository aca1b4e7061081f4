import type { Progress } from '../flows/apply-configuration.ts';
import { seconds } from '../lib/clock.ts';

export interface ProgressLine {
  show(progress: Progress): void;
  end(): void;
}

const quietFor = seconds(2);

/** `users 4 000 of 10 000`: one line that moves on a terminal; elsewhere a line every two seconds, from the second one on. */
export function createProgressLine(stream: NodeJS.WriteStream): ProgressLine {
  const started = performance.now();
  let shownAt = Number.NEGATIVE_INFINITY;
  let isOpen = false;

  return {
    show: (progress) => {
      const now = performance.now();
      if (stream.isTTY) {
        if (now - shownAt < 100 && progress.done !== progress.total) return;
        stream.write(`\r\u001b[K${lineOf(progress)}`);
        isOpen = true;
      } else {
        if (now - started < quietFor || (now - shownAt < quietFor && progress.done !== progress.total))
          return;
        stream.write(`${lineOf(progress)}\n`);
      }
      shownAt = now;
    },
    end: () => {
      if (isOpen) stream.write('\r\u001b[K');
    },
  };
}

const lineOf = ({ stage, done, total }: Progress): string =>
  total === 0 ? stage : `${stage} ${grouped(done)} of ${grouped(total)}`;

const grouped = (n: number): string => String(n).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
