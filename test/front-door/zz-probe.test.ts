import test from 'ava';
import { acme, frontDoor, kinds, passwordStep } from './rig.ts';
for (const kind of kinds) test(`${kind} probe`, async (t) => {
  const door = await frontDoor(t, kind, { configuration: acme({}), replicas: 2 });
  const browser = door.browser();
  await passwordStep(browser);
  for (const n of [2, 5, 10, 20]) for (let round = 0; round < 3; round++) {
    const tabs = Array.from({ length: n }, (_, i) => { const tab = browser.copy(); tab.replica = i % 2; return tab; });
    await Promise.all(tabs.map((tab) => tab.authorize({ prompt: 'none' })));
    const tally: Record<string, number> = {};
    for (const tab of tabs) { const k = tab.callback ? (tab.callback.get('code') ? 'code' : tab.callback.get('error')!) : `${tab.status} ${tab.heading}`; tally[k] = (tally[k] ?? 0) + 1; }
    t.log(n, JSON.stringify(tally));
  }
  t.log([...new Set(door.log.filter((l) => /"level":(40|50)/.test(l)).map((l) => l.slice(0, 600)))].slice(0, 3));
  t.pass();
});
