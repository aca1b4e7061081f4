/**
 * What is made out of a text, kept for as long as the same text keeps coming: the newest of so many. What is made is shared by all
 * who ask, so it is frozen.
 */
export function madeOnce<T extends object>(size: number, make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>();
  return (text) => {
    const known = made.get(text);
    if (known) return known;
    const value = frozen(make(text));
    const [oldest] = made.keys();
    if (made.size >= size && oldest !== undefined) made.delete(oldest);
    made.set(text, value);
    return value;
  };
}

function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (part instanceof Object) frozen(part as object);
  }
  return Object.freeze(value);
}
