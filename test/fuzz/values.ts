import fc from 'fast-check';

/** As much of JSON Schema 2020-12 as the OpenAPI document uses. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Text that has broken something somewhere. */
export const nastyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    'a\u0000b',
    "' OR 1=1 --",
    '%',
    '%00',
    '%zz',
    '%c0%af',
    '../..',
    '..%2f..%2f',
    '😀',
    '\ud800',
    '\u202e',
    'ﬃ',
    'İ',
    'ß'.repeat(200),
    'x'.repeat(3000),
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '{"a":',
    '[]',
    'null',
    'undefined',
    'NaN',
    '-1',
    '1e999',
    '9'.repeat(400),
    '2026-13-45T99:99:99Z',
    'bm90IGEgY3Vyc29y',
    'eyJhbGciOiJub25lIn0.e30.',
    'javascript:alert(1)',
    'http://[::1',
    'http://a:b@c:99999/',
    'data:,x',
    '\r\nX: y',
  ),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

/** Any JSON at all, names that objects have by themselves among its keys. */
export const nastyJson: fc.Arbitrary<unknown> = fc.oneof(
  nastyText,
  fc.constantFrom<unknown>(0, -1, 1e308, 2 ** 53, 0.5, true, false, null, [], {}, [[]], { $ne: 1 }, [null]),
  fc.constant(JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}')),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Mostly what the schema says, now and then anything else, at any depth. */
export const fitting = (schema: Schema, odds = 10): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: odds, arbitrary: exactly(schema, odds) }, { weight: 1, arbitrary: nastyJson });

function exactly(schema: Schema, odds: number): fc.Arbitrary<unknown> {
  const parts = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (parts) return fc.oneof(...parts.map((part) => fitting(part, odds)));
  switch ([schema.type ?? 'string'].flat()[0]) {
    case 'integer':
      return fc.integer({ min: within(schema.minimum, -10), max: within(schema.maximum, 1000) });
    case 'number':
      return fc.double({ min: within(schema.minimum, -10), max: within(schema.maximum, 1000), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(fitting(schema.items ?? {}, odds), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, Math.max(schema.minItems ?? 0, 4)),
      });
    case 'object':
      return objectOf(schema, odds);
    default:
      return textOf(schema);
  }
}

const within = (bound: number | undefined, otherwise: number): number =>
  bound === undefined ? otherwise : Math.max(-1e6, Math.min(1e6, bound));

function objectOf({ properties = {}, required = [], additionalProperties }: Schema, odds: number) {
  const known = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, fitting(one, odds)])),
    { requiredKeys: [...required].filter((name) => name in properties) },
  );
  const more =
    typeof additionalProperties === 'object'
      ? fc.dictionary(fc.string({ maxLength: 10 }), fitting(additionalProperties, odds), { maxKeys: 3 })
      : fc.constant({});
  const strange = fc.oneof(
    { weight: 15, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.constantFrom({ isAdmin: true }, { role: 'owner' }, { id: 'x' }) },
  );
  return fc.tuple(known, more, strange).map((all) => Object.assign({}, ...all) as object);
}

function textOf({ pattern, format, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  const plain = fc.oneof(
    fc.constantFrom('text', 'a', 'Zoe Example'),
    fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 60)) }),
  );
  switch (format) {
    case 'email':
      return fc.oneof(fc.emailAddress(), fc.constantFrom('ada@acme.test', 'zoe@bücher.example'));
    case 'uri':
      return fc.oneof(fc.webUrl(), fc.constant('https://new.example.com/cb'));
    case 'date-time':
      return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    default:
      return pattern === undefined ? plain : (matching(pattern) ?? plain);
  }
}

const known = new Map<string, fc.Arbitrary<string> | null>();

/** Text of this pattern, made once; null where that would mean to go through all of Unicode, which takes seconds. */
function matching(pattern: string): fc.Arbitrary<string> | null {
  if (!known.has(pattern)) {
    const isLarge = /\\p\{|\[\^/i.test(pattern);
    known.set(pattern, isLarge ? null : fc.stringMatching(new RegExp(pattern, 'u'), { maxLength: 200 }));
  }
  return known.get(pattern) ?? null;
}

/** A path segment as it may be on the wire: encoded as it should be, or hardly. */
export const nastySegment: fc.Arbitrary<string> = fc.oneof(
  nastyText.map((text) => encodeURIComponent(text.toWellFormed()) || '-'),
  fc.constantFrom('%', '%zz', '%ff', '%00', '%2e%2e', '%E0%A4%A', ';', '*', '%2F', '%0d%0a'),
);

/** What a header may hold on the wire. */
export const nastyHeader: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    '"x"',
    'W/"x"',
    '*',
    'x'.repeat(3000),
    '\u00ff\u00fe',
    'null',
    '{}',
    ',,,',
    '= = =',
    '"',
  ),
  fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\t\x20-\x7e]/g, '')),
);
