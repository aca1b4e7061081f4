export interface PlainFact {
  readonly name: string;
  readonly value: string;
}

type Facts = Readonly<Record<string, unknown>>;

const isFacts = (value: unknown): value is Facts =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const inWords = (value: unknown): string =>
  Array.isArray(value)
    ? value.map(inWords).join(', ')
    : isFacts(value)
      ? JSON.stringify(value)
      : String(value);

/** What is inside something, by the way to it: `sessions.idleMinutes`. */
const flat = (facts: Facts, before = ''): [string, string][] =>
  Object.entries(facts).flatMap(([name, value]) =>
    isFacts(value)
      ? flat(value, `${before}${name}.`)
      : [[`${before}${name}`, inWords(value)] satisfies [string, string]],
  );

/** What an event's `before` and `after` differ in: `graceDays`, `0 → 7`. */
export function changesIn({ before, after }: Facts): PlainFact[] {
  if (!isFacts(before) || !isFacts(after)) return [];
  const [old, now] = [new Map(flat(before)), new Map(flat(after))];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((name) => old.get(name) !== now.get(name))
    .map((name) => ({ name, value: `${old.get(name) ?? '–'} → ${now.get(name) ?? '–'}` }));
}

/** An event's facts for people: what changed instead of the whole before and after. */
export function plainFacts(facts: Facts): PlainFact[] {
  const changes = changesIn(facts);
  const { before, after, ...rest } = facts;
  const others = flat(isFacts(before) && isFacts(after) ? rest : facts);
  return [...changes, ...others.map(([name, value]) => ({ name, value }))];
}
