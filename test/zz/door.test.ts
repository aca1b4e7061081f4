import test from 'ava';
import { acme, frontDoor } from '../front-door/rig.ts';

const n = Number(process.env.N ?? 1);
for (let i = 0; i < n; i++)
  test.serial('x' + i, async (t) => {
    await frontDoor(t, (process.env.KIND ?? 'SQLite') as 'SQLite', { configuration: acme({}) });
    t.pass();
  });
