import test from 'ava';
import { acme, frontDoor } from '../front-door/rig.ts';

test('x', (t) => t.pass(String(frontDoor) + acme));
