import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { password, secret } from '../front-door/rig.ts';
import { endBrowser, hasChromium, Person, startBrowser, type World } from './person.ts';

/** One state of one page: who comes to it, what they do there by keyboard alone, and what is to be seen then. */
export interface Walk {
  /** Unique: it names the finding. */
  readonly name: string;
  /** Who of the world's people: `<who>@acme.test`, with the rig's authenticator app or none. */
  readonly who: string;
  /** Null: on the page where the state before has ended. */
  readonly path: string | null;
  /** Only keys: what is reached by no key is not done. */
  readonly does?: (keys: Keys) => Promise<void>;
  /** A piece of the page that only this state shows. */
  readonly shows: RegExp;
  /** An error state: somebody who hears the page is told, and the focus stands where it is mended. */
  readonly isError?: boolean;
  /** Also part of `npm test`; the others are walked by `npm run test:walk`. */
  readonly always?: true;
}

const axe = readFileSync(path.resolve(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'), 'utf8');
const isWhole = process.env.WALK === 'all';

/** What happens to whoever has no mouse, and what they then see. */
export class Keys {
  readonly person: Person;

  constructor(person: Person) {
    this.person = person;
  }

  /** Goes on by Tab until what has the focus is called so: by its label, its text, or its value where several share a label. */
  async to(name: string, isField = false): Promise<void> {
    const { page } = this.person;
    for (let n = 0; n < 150; n += 1) {
      await page.keyboard.press('Tab');
      const called = await page.evaluate<string>(`(() => {
        const at = document.activeElement;
        if (${isField} && !at.matches('input, textarea')) return '';
        const label = at.labels?.[0]?.textContent ?? at.getAttribute('aria-label') ?? at.textContent;
        return (at.type === 'radio' || at.type === 'checkbox' ? at.value + ' ' : '') + label.trim();
      })()`);
      if (called === name || called.split(' ')[0] === name || called.endsWith(` ${name}`)) return;
    }
    throw new Error(`"${name}" cannot be reached by Tab at ${page.url()}`);
  }

  press(...keys: readonly string[]): Promise<void> {
    return keys.reduce(
      (before, key) => before.then(() => this.person.page.keyboard.press(key)),
      Promise.resolve(),
    );
  }

  type(text: string): Promise<void> {
    return this.person.page.keyboard.type(text);
  }

  /** Into the field of this name, instead of what stands there. */
  async fill(name: string, text: string): Promise<void> {
    await this.to(name, true);
    await this.press('Control+a', 'Delete');
    await this.type(text);
  }

  /** Follows a link or presses a button, and waits for the page that it leads to. */
  async go(name: string): Promise<void> {
    const { page } = this.person;
    await this.to(name);
    await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
  }
}

interface Seen {
  readonly missed: readonly string[];
  readonly unseen: readonly string[];
  readonly hidden: readonly string[];
}

/**
 * Goes through the whole page by Tab, opens what can be opened, and says which controls were never reached, which do not show that they
 * have the focus, and which have it behind something else.
 */
async function tabThrough({ page }: Person): Promise<Seen> {
  await page.evaluate(`(() => {
    const signs = (element) => [element, element.closest('label'), element.labels?.[0], element.closest('.check, .choice, li')]
      .filter(Boolean).map((one) => {
        const { outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor, clipPath } = getComputedStyle(one);
        return [outlineStyle === 'none' ? '' : outlineWidth + outlineColor, boxShadow, borderColor, clipPath].join();
      }).join(';');
    const short = (element) => element.outerHTML.replace(/\\s+/g, ' ').slice(0, 160);
    const walk = { order: [], focused: new Map(), hidden: [], rounds: 0 };
    const same = (element) => element.type === 'radio' && element.name !== ''
      ? document.querySelector('input[type=radio][name="' + element.name + '"]:checked') ?? element : element;
    window.walkStep = () => {
      const at = document.activeElement;
      // Between the last control and the first; where the focus began in the middle, those before it are still to come.
      if (at === document.body || at === document.documentElement) return (walk.rounds += 1) > 2 ? 'end' : 'on';
      const last = walk.order.at(-1);
      // A date has several parts.
      if (at === last) return 'on';
      if (walk.focused.has(at)) return 'end';
      walk.order.push(at);
      walk.focused.set(at, signs(at));
      const boxes = [...at.getClientRects()];
      const free = boxes.some(({ left, top, width, height }) => {
        // Of what is larger than the window, the middle of what is in it.
        const middle = (from, size, all) => (Math.max(0, from) + Math.min(all, from + size)) / 2;
        const there = document.elementFromPoint(middle(left, width, innerWidth), middle(top, height, innerHeight));
        return there && (at.contains(there) || there.contains(at) || [...at.labels ?? []].some((label) => label.contains(there)));
      });
      if (!free) walk.hidden.push(short(at));
      return at.tagName === 'SUMMARY' && !at.parentElement.open ? 'open' : 'on';
    };
    window.walkEnd = () => {
      document.activeElement.blur();
      const wanted = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
        .filter((one) => one.type !== 'hidden' && !one.disabled && one.checkVisibility({ visibilityProperty: true }))
        .filter((one) => one.type !== 'radio' || same(one) === one)
        .filter((one) => one.type !== 'radio' || ![...walk.focused.keys()].some((known) => known.type === 'radio' && known.name === one.name));
      return {
        missed: wanted.filter((one) => !walk.focused.has(one)).map(short),
        unseen: [...walk.focused].filter(([one, focused]) => signs(one) === focused).map(([one]) => short(one)),
        hidden: walk.hidden,
      };
    };
  })()`);
  for (let n = 0; n < 400; n += 1) {
    await page.keyboard.press('Tab');
    const next = await page.evaluate<string>('walkStep()');
    if (next === 'end') break;
    if (next === 'open') await page.keyboard.press('Enter');
  }
  return page.evaluate<Seen>('walkEnd()');
}

const rules = JSON.stringify(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);

/** With WALK_PICTURES, what it looks like, for people: one PNG for each state in that folder. */
async function picture({ page }: Person, { name }: Walk): Promise<void> {
  const folder = process.env.WALK_PICTURES;
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

/** What is wrong with this page as it stands. */
async function look(person: Person, walk: Walk): Promise<string[]> {
  const { page } = person;
  const found: string[] = [];
  // biome-ignore lint/performance/useDomNodeTextContent: what is hidden is not shown
  const text = (await page.locator('body').innerText()).replace(/\s+/g, ' ');
  if (!walk.shows.test(text)) found.push(`does not show ${walk.shows}, but: ${text.slice(0, 600)}`);
  if (walk.isError) {
    await page.waitForLoadState('load');
    const said = await page.evaluate<{ alerts: number; isAtFault: boolean; isInSight: boolean }>(`({
      alerts: document.querySelectorAll('[role=alert]').length,
      isAtFault: document.activeElement.matches('[role=alert], [aria-invalid=true]'),
      isInSight: (({ top, bottom }) => bottom > 0 && top < innerHeight)(document.activeElement.getBoundingClientRect()),
    })`);
    if (said.alerts === 0) found.push('nobody is told what is wrong');
    if (!said.isAtFault) found.push('the focus stands on nothing that is wrong');
    else if (!said.isInSight) found.push('what is wrong stands out of sight');
  }
  // What was done is told where the person goes on, and the next Tab leads on from there.
  const told = await page.evaluate<boolean | null>(`(() => {
    const said = document.querySelector('[role=status][autofocus]');
    const { top, bottom } = said?.getBoundingClientRect() ?? {};
    return said && document.activeElement === said && top >= 0 && bottom <= innerHeight;
  })()`);
  if (told === false) found.push('the focus does not stand on what was done, in sight');
  const width = await page.evaluate<number>('document.documentElement.scrollWidth');
  if (width > 320) found.push(`is ${width} pixels wide`);
  const seen = await tabThrough(person);
  for (const one of seen.missed) found.push(`not reached by Tab: ${one}`);
  for (const one of seen.unseen) found.push(`does not show its focus: ${one}`);
  for (const one of seen.hidden) found.push(`hidden while it has the focus: ${one}`);
  // The views' own states go through axe in every run (test/views/look.test.ts).
  if (!isWhole) return [...found, ...person.complaints.splice(0)];
  await page.evaluate(axe);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const only =
      colorScheme === 'light'
        ? `{ type: 'tag', values: ${rules} }`
        : `{ type: 'rule', values: ['color-contrast'] }`;
    const violations = await page.evaluate<string[]>(`axe.run(document, { runOnly: ${only} })
      .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join(' ')))`);
    for (const one of violations) found.push(`${one} (${colorScheme})`);
  }
  return [...found, ...person.complaints.splice(0)];
}

const signInWords = {
  en: { email: 'Email', password: 'Password', signIn: 'Sign in', verify: 'Verify' },
  de: { email: 'E-Mail-Adresse', password: 'Passwort', signIn: 'Anmelden', verify: 'Bestätigen' },
};

/** Signs in, as far as the policy asks, on the way to `path`. */
async function arrive(
  t: ExecutionContext,
  place: World,
  who: string,
  to: string,
  locale: 'en' | 'de',
): Promise<Person> {
  const person = await Person.with(t, place, { viewport: { width: 320, height: 640 }, locale });
  const words = signInWords[locale];
  const { page } = person;
  await page.goto(`${place.issuer}${to}`);
  const keys = new Keys(person);
  await keys.fill(words.email, `${who}@acme.test`);
  await keys.fill(words.password, password);
  await keys.go(words.signIn);
  if ((await page.getByRole('button', { name: words.verify, exact: true }).count()) > 0) {
    await page.keyboard.type(place.door.code(0, secret));
    await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);
    place.door.clock.forward(30_000);
  }
  return person;
}

/** Every page of the table, in one world, at 320 pixels. Each person signs in once. */
export function walkThrough(
  title: string,
  make: (t: ExecutionContext) => Promise<World>,
  walks: readonly Walk[],
  locale: 'en' | 'de' = 'en',
): void {
  if (!hasChromium()) return;
  test.before(startBrowser);
  test.after.always(() => endBrowser());
  test.serial(title, async (t) => {
    t.timeout(600_000);
    const place = await make(t);
    const people = new Map<string, Person>();
    const wrong: string[] = [];
    for (const walk of walks.filter(({ always }) => isWhole || always)) {
      const known = people.get(walk.who);
      const person = known ?? (await arrive(t, place, walk.who, walk.path ?? '/account', locale));
      people.set(walk.who, person);
      await person.page.emulateMedia({ colorScheme: 'light' });
      place.door.clock.forward(1000);
      if (known && walk.path !== null) await person.page.goto(`${place.issuer}${walk.path}`);
      const found = await Promise.resolve(walk.does?.(new Keys(person)))
        .then(() => picture(person, walk))
        .then(() => look(person, walk))
        .catch((error: Error) => [error.message]);
      wrong.push(...found.map((one) => `${walk.name}: ${one}`));
    }
    t.deepEqual(wrong, []);
  });
}
