import test from 'ava';
import { createWorkQueue, defaultConcurrency, Overloaded } from '../../lib/work-queue.ts';

function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

test('no more tasks run at once than agreed; the others wait for their turn in order', async (t) => {
  const queue = createWorkQueue({ concurrency: 2, queueLimit: 10 });
  const started: number[] = [];
  const gates = Array.from({ length: 5 }, gate);
  const all = gates.map(({ opened }, i) =>
    queue.run(async () => {
      started.push(i);
      await opened;
      return i;
    }),
  );
  await new Promise(setImmediate);
  t.deepEqual(started, [0, 1]);
  t.is(queue.running, 2);
  t.is(queue.waiting, 3);
  gates[1]?.open();
  await all[1];
  await new Promise(setImmediate);
  t.deepEqual(started, [0, 1, 2]);
  for (const { open } of gates) open();
  t.deepEqual(await Promise.all(all), [0, 1, 2, 3, 4]);
  t.deepEqual(started, [0, 1, 2, 3, 4]);
  t.is(queue.running, 0);
  t.is(queue.waiting, 0);
});

test('a task that would wait too long is refused at once and never starts', async (t) => {
  const queue = createWorkQueue({ concurrency: 1, queueLimit: 1 });
  const { open, opened } = gate();
  const running = queue.run(() => opened);
  const waiting = queue.run(async () => 'done');
  await t.throwsAsync(
    queue.run(async () => t.fail()),
    { instanceOf: Overloaded },
  );
  open();
  await running;
  t.is(await waiting, 'done');
});

test('a task that fails gives its place back', async (t) => {
  const queue = createWorkQueue({ concurrency: 1, queueLimit: 0 });
  for (let i = 0; i < 3; i += 1) {
    await t.throwsAsync(
      queue.run(async () => {
        throw new Error('no');
      }),
      { message: 'no' },
    );
  }
  t.is(await queue.run(async () => 1), 1);
});

test('at least two tasks run at once, and one thread of the pool stays free beyond that', (t) => {
  t.true(defaultConcurrency() >= 2);
  t.true(defaultConcurrency(4) <= 3);
  t.is(defaultConcurrency(1), 2);
  t.true(defaultConcurrency(Number.NaN) >= 2);
});
