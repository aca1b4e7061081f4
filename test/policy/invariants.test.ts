import test from 'ava';
import { acr1fa, acr2fa, acrNamed, acrPhr, acrs } from '../../policy/assurance.ts';
import { days } from '../../policy/days.ts';
import { decide } from '../../policy/decide.ts';
import { longestSession } from '../../policy/session-lengths.ts';
import {
  applicationAssurances,
  type Decision,
  type Facts,
  type Membership,
  type Method,
  methods,
  type Policy,
  type Proof,
  requirements,
  roles,
} from '../../policy/types.ts';
import {
  acme,
  earlier,
  facts,
  inDays,
  justNow,
  minutesAgo,
  now,
  proof,
  startedAt,
  told,
  zeta,
} from './fixtures.ts';

const rounds = 20_000;

const third = { id: 'o-mid', slug: 'mid', name: 'Mid Air' };
const proofKinds: readonly Proof['kind'][] = ['password', 'upstream', 'recovery_code', 'mailbox', ...methods];

/** Chance from a seed (mulberry32), so that what fails once can be run again. */
function dice(seed: number) {
  let state = seed;
  const chance = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const yes = (p = 0.5): boolean => chance() < p;
  const one = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T;
  const some = <T>(from: readonly T[], p = 0.6): readonly T[] => from.filter(() => yes(p));
  return { yes, one, some };
}
type Dice = ReturnType<typeof dice>;

const somePolicy = ({ yes, one, some }: Dice): Policy => {
  const requirement = one(requirements);
  const since = inDays(-one([0, 1, 6, 7, 8, 40]));
  const admins = requirement.startsWith('required');
  return {
    requirement,
    others: one(['optional', 'recommended']),
    graceDays: one([0, 7, 30, 90]),
    methods: yes(0.6) ? methods : some(methods),
    rememberDeviceDays: one([0, 1, 30, 30]),
    passkeyModels: one([null, null, null, ['model-a'], ['model-a', 'model-b']]),
    sessions: longestSession,
    applications: yes(0.8) ? 'all' : one([[], ['crm'], ['wiki']]),
    adminsRequiredSince: admins ? since : null,
    allRequiredSince: requirement === 'required_for_all' ? since : null,
    changedAt: inDays(-one([0, 3, 300])),
  };
};

const someMembership = (d: Dice, organization: Membership['organization']): Membership => ({
  organization,
  policy: somePolicy(d),
  role: d.one(roles),
  joinedAt: inDays(-d.one([0, 3, 7, 300])),
  adminSince: d.one([null, inDays(-2), inDays(-200)]),
  graceStartedAt: d.one([null, null, inDays(-2), inDays(-100)]),
});

const someProof = ({ yes, one }: Dice, kind: Proof['kind']): Proof => {
  const at = one([justNow, justNow, startedAt, minutesAgo(5), earlier]);
  const upstreamAmr = one([[], ['pwd'], ['pwd', 'mfa']]);
  return {
    ...proof(kind, at),
    ...(kind === 'upstream' ? { amr: upstreamAmr } : {}),
    ...(yes(0.1) ? { factorId: 'f-gone' } : {}),
    userVerified: kind === 'passkey' && yes(),
  };
};

/** Facts as they can come; `odd` ones hold values that should never come. */
function someFacts(d: Dice): Facts {
  const { yes, one, some } = d;
  const factors = some(methods, 0.35).map((method) => ({
    id: `f-${method}`,
    method,
    usable: yes(0.85),
    model: method === 'passkey' ? one([null, 'model-a']) : null,
  }));
  return facts({
    now: one([now, now, inDays(6), inDays(60)]),
    memberships: some([acme, zeta, third], 0.5).map((organization) => someMembership(d, organization)),
    instancePolicy: somePolicy(d),
    available: yes(0.8) ? methods : some(methods),
    proofs: [
      ...(yes(0.7) ? [someProof(d, 'password')] : []),
      ...some(proofKinds, 0.25).map((kind) => someProof(d, kind)),
    ],
    remembered: yes() ? null : { id: 'd', createdAt: inDays(-one([0, 2, 29, 31])), method: one(methods) },
    user: {
      factors,
      preferredFactorId: one([null, 'f-totp', 'f-email', 'f-gone']),
      recoveryCodesLeft: one([0, 0, 3]),
      everHadFactor: factors.length > 0 || yes(0.2),
      resetAt: yes(0.9) ? null : one([minutesAgo(90), minutesAgo(2)]),
      emailVerified: yes(0.9),
      postponedUntil: one([null, null, inDays(-1), inDays(70)]),
    },
    application: {
      organizationId: one([null, acme.id, zeta.id]),
      assurance: yes() ? 'none' : one(applicationAssurances),
    },
    choices: { skippedAt: one([null, justNow, earlier]), dismissedAt: one([null, justNow, earlier]) },
    request: {
      login: yes(0.15),
      maxAge: yes(0.75) ? null : one([0, 60, 600, 7200]),
      acrValues: yes(0.6) ? [] : some([...acrs, 'mfa', 'gold'], 0.25),
      essential: yes(0.2),
    },
  });
}

/** The same facts with one value in them that should never come. */
function oddFacts(d: Dice): Facts {
  const values = (at: unknown): readonly unknown[] => {
    if (at instanceof Date) return [new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15)];
    if (typeof at === 'number') return [Number.NaN, -1, Number.POSITIVE_INFINITY, 1e308, 0.5];
    if (typeof at === 'string') return ['', 'no such thing', '__proto__', 'constructor'];
    return [[]];
  };
  const odd = (value: unknown): unknown => {
    if (value === null || typeof value === 'boolean') return value;
    const here = d.yes(0.04) && (typeof value !== 'object' || value instanceof Date || Array.isArray(value));
    if (here) return d.one(values(value));
    if (value instanceof Date || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(odd);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, odd(inner)]));
  };
  return odd(someFacts(d)) as Facts;
}

/** What was really proved, said once more and in other words than in `policy/`. */
function proved({ proofs, user, request }: Facts) {
  const real = proofs.filter(({ kind, factorId, at }) => {
    if (Number.isNaN(at.getTime()) || kind === 'mailbox') return false;
    if (request.login && !(at >= request.startedAt)) return false;
    if (kind === 'password' || kind === 'upstream' || kind === 'recovery_code') return true;
    return user.factors.some((one) => one.id === factorId && one.usable && one.method === kind);
  });
  const has = (...kinds: readonly string[]) => real.some(({ kind }) => kinds.includes(kind));
  const verified = real.some(({ kind, userVerified }) => kind === 'passkey' && userVerified);
  const upstreamMfa = real.some(({ kind, amr }) => kind === 'upstream' && amr.includes('mfa'));
  return {
    real,
    first: has('password', 'upstream') || verified,
    verified,
    passkey: has('passkey'),
    two: has('totp', 'sms', 'device', 'recovery_code', 'passkey') || upstreamMfa,
    email: has('email'),
  };
}

const mandatory = (decision: Decision): boolean =>
  decision.kind !== 'allow' && !(decision.kind === 'enrol' && decision.wayOut.kind !== 'none');

function assertTrue(decision: Decision, given: Facts): string | null {
  if (decision.kind === 'enrol' && decision.methods.length === 0) return 'offers nothing to set up';
  if (decision.kind === 'enrol' && !decision.methods.every((m) => given.available.includes(m)))
    return 'offers what is not available';
  if (decision.kind === 'challenge' && decision.factors.length === 0 && !decision.recoveryCode)
    return 'asks for nothing';
  if (decision.kind === 'challenge' && !decision.factors.every((f) => f.usable))
    return 'asks for a disabled factor';
  if (decision.kind !== 'allow') return null;

  const was = proved(given);
  const { acr, amr } = decision.assurance;
  if (!was.first) return 'lets in without a first step';
  if (given.user.resetAt !== null) return 'lets in after a reset';
  if (acr === acrPhr && !was.passkey) return 'claims a passkey';
  if (acr === acr2fa && !was.two) return 'claims a factor';
  if (acr === 'urn:sallyport:acr:2sv' && !was.email) return 'claims a second step';
  if (amr.includes('mfa') !== (acr === acr2fa || acr === acrPhr)) return 'claims mfa wrongly';
  if (amr.includes('user') && !was.verified && !was.real.some((p) => p.amr.includes('user')))
    return 'claims user';
  if (new Set(amr).size !== amr.length) return 'repeats itself';

  const rememberedHere = decision.why === 'remembered' && given.remembered !== null;
  const usable = given.user.factors.some((one) => one.usable && methods.includes(one.method));
  if (usable && !was.two && !was.email && !rememberedHere) return 'spares a factor';
  if (given.user.factors.length > 0 && ['not_required', 'dismissed'].includes(decision.why))
    return 'forgets a factor';

  const { assurance } = given.application;
  if (assurance !== 'none' && acrs.indexOf(acr as typeof acr2fa) < acrs.indexOf(acr2fa))
    return 'gives the application less';
  if (assurance === 'passkey' && !was.verified) return 'gives the application no verified passkey';
  const fresh = was.real.some(
    (p) => p.at >= given.request.startedAt && p.kind !== 'password' && p.kind !== 'email',
  );
  if (assurance === 'fresh_second_factor' && !fresh) return 'gives the application an old factor';

  const asked = given.request.acrValues
    .flatMap((value) => acrNamed(value) ?? [])
    .map((one) => acrs.indexOf(one));
  if (asked.length > 0 && acrs.indexOf(acr as typeof acr2fa) < Math.min(...asked))
    return 'gives the request less';
  return null;
}

test('nothing is allowed, claimed or offered that was not proved or cannot be had', (t) => {
  const kinds = new Map<string, number>();
  for (let seed = 1; seed <= rounds; seed++) {
    const given = someFacts(dice(seed));
    const decision = decide(given);
    const kind = decision.kind === 'allow' ? decision.why : decision.kind;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const wrong = assertTrue(decision, given);
    if (wrong) return t.fail(`seed ${seed} ${wrong}: ${told(decision)}`);
  }
  // The chance is of use only where it reaches every outcome.
  for (const kind of [
    'sign_in',
    'challenge',
    'enrol',
    'refuse',
    'satisfied',
    'remembered',
    'not_required',
    'skipped',
    'dismissed',
  ]) {
    t.true((kinds.get(kind) ?? 0) > 50, `${kind}: ${kinds.get(kind)}`);
  }
});

test('values that should never come are no way in, and nothing throws', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    const given = oddFacts(dice(seed));
    const decision = decide(given);
    const wrong = assertTrue(decision, given);
    if (wrong) return t.fail(`seed ${seed} ${wrong}: ${told(decision)}`);
  }
  t.pass();
});

test('the facts are left as they are, and the same facts get the same answer', (t) => {
  for (let seed = 1; seed <= 500; seed++) {
    const given = someFacts(dice(seed));
    const before = structuredClone(given);
    const decision = decide(given);
    t.deepEqual(given, before);
    t.deepEqual(decide({ ...given, memberships: given.memberships.toReversed() }), decision);
  }
});

test('prompt=login and max_age=0 decide as if nothing had been proved or chosen before', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    const d = dice(seed);
    const given = someFacts(d);
    const request = d.yes() ? { ...given.request, login: true } : { ...given.request, maxAge: 0 };
    const since = (at: Date | null) => (at !== null && at >= startedAt ? at : null);
    const all = decide({ ...given, request });
    const fresh = decide({
      ...given,
      request,
      proofs: given.proofs.filter(({ at }) => at >= startedAt),
      choices: { skippedAt: since(given.choices.skippedAt), dismissedAt: since(given.choices.dismissedAt) },
    });
    if (told(all) !== told(fresh)) return t.fail(`seed ${seed}: ${told(all)}, but ${told(fresh)}`);
    const old = given.proofs.filter(({ at }) => at < startedAt);
    if (decide({ ...given, request, proofs: old }).kind !== 'sign_in') return t.fail(`seed ${seed} lets in`);
  }
  t.pass();
});

const stricter: Record<string, (rules: Policy) => Policy> = {
  'a higher requirement': (rules) => ({
    ...rules,
    requirement: 'required_for_all',
    adminsRequiredSince: rules.adminsRequiredSince ?? now,
    allRequiredSince: rules.allRequiredSince ?? now,
  }),
  'a recommendation': (rules) =>
    rules.requirement === 'optional' ? { ...rules, requirement: 'recommended' } : rules,
  'others recommended': (rules) => ({ ...rules, others: 'recommended' }),
  'no grace': (rules) => ({ ...rules, graceDays: 0 }),
  'a shorter grace': (rules) => ({ ...rules, graceDays: Math.min(rules.graceDays, 7) }),
  'nothing remembered': (rules) => ({ ...rules, rememberDeviceDays: 0 }),
  'a shorter memory': (rules) => ({ ...rules, rememberDeviceDays: Math.min(rules.rememberDeviceDays, 1) }),
  'a change': (rules) => ({ ...rules, changedAt: now }),
};

for (const [name, change] of Object.entries(stricter)) {
  test(`${name} lets nobody in who was stopped before`, (t) => {
    for (let seed = 1; seed <= rounds; seed++) {
      const d = dice(seed);
      const drawn = someFacts(d);
      // Where no method is common, who asks also decides what is allowed: there stricter and laxer mean nothing.
      const given = { ...drawn, memberships: drawn.memberships.map((one) => withTotp(one)) };
      const chosen = d.one(given.memberships);
      const tightened: Facts = {
        ...given,
        instancePolicy: change(given.instancePolicy),
        memberships: given.memberships.map((one) =>
          one === chosen || d.yes(0.3) ? { ...one, policy: change(one.policy) } : one,
        ),
      };
      const [before, after] = [decide(given), decide(tightened)];
      if (mandatory(before) && !mandatory(after))
        return t.fail(`seed ${seed}: ${told(before)}, then ${told(after)}`);
    }
    t.pass();
  });
}

const withTotp = (membership: Membership): Membership => ({
  ...membership,
  policy: { ...membership.policy, methods: [...new Set<Method>([...membership.policy.methods, 'totp'])] },
});

test('an application that asks for more lets nobody in who was stopped before', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    const given = someFacts(dice(seed));
    const decisions = applicationAssurances.map((assurance) =>
      decide({ ...given, application: { ...given.application, assurance } }),
    );
    const [none, second, fresh, verifiedPasskey] = decisions as [Decision, Decision, Decision, Decision];
    for (const [before, after] of [
      [none, second],
      [second, fresh],
      [second, verifiedPasskey],
    ] as const) {
      if (mandatory(before) && !mandatory(after))
        return t.fail(`seed ${seed}: ${told(before)}, then ${told(after)}`);
    }
  }
  t.pass();
});

test('fewer methods let nobody in who was stopped before, unless by grace', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    const d = dice(seed);
    const drawn = someFacts(d);
    const given = {
      ...drawn,
      memberships: drawn.memberships.slice(0, 1),
      choices: { skippedAt: null, dismissedAt: null },
      user: { ...drawn.user, postponedUntil: null },
    };
    const narrowed = (rules: Policy): Policy => ({ ...rules, methods: d.some(rules.methods) });
    const after = decide({
      ...given,
      instancePolicy: narrowed(given.instancePolicy),
      memberships: given.memberships.map((one) => ({ ...one, policy: narrowed(one.policy) })),
    });
    const before = decide(given);
    if (mandatory(before) && after.kind === 'allow' && after.why !== 'skipped')
      return t.fail(`seed ${seed}: ${told(before)}, then ${told(after)}`);
  }
  t.pass();
});

test('a remembered device is accepted only as long as every policy and every claim permits', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    const given = someFacts(dice(seed));
    const decision = decide(given);
    if (decision.kind !== 'allow' || decision.why !== 'remembered') continue;
    const { createdAt, method } = given.remembered ?? { createdAt: new Date(0), method: 'email' };
    const covering = given.memberships
      .map((one) => one.policy)
      .filter(({ applications }) => applications === 'all' || applications.includes('crm'));
    for (const rules of covering.length > 0 ? covering : [given.instancePolicy]) {
      if (createdAt.getTime() + days(rules.rememberDeviceDays) <= given.now.getTime())
        return t.fail(`seed ${seed}: too old`);
      if (createdAt < rules.changedAt) return t.fail(`seed ${seed}: before a change`);
      if (covering.length < 2 && !rules.methods.includes(method))
        return t.fail(`seed ${seed}: by a forbidden method`);
    }
  }
  t.pass();
});

/** What a person does who answers every page as it asks. */
function answer(given: Facts, decision: Decision): Facts {
  const prove = (kind: Proof['kind']): Proof => proof(kind, justNow, { userVerified: kind === 'passkey' });
  const also = (...proofs: readonly Proof[]): Facts => ({ ...given, proofs: [...given.proofs, ...proofs] });
  if (decision.kind === 'sign_in') return also(prove('password'));
  if (decision.kind === 'challenge') return also(prove(decision.factors[0]?.method ?? 'recovery_code'));
  if (decision.kind !== 'enrol') return given;
  if (decision.mailboxFirst) return also(prove('mailbox'));
  const method = decision.methods[0] as Method;
  const kept = given.user.factors.filter((one) => one.method !== method);
  const model = method === 'passkey' ? 'model-a' : null;
  const factors = [...kept, { id: `f-${method}`, method, usable: true, model }];
  return { ...also(prove(method)), user: { ...given.user, factors, everHadFactor: true, resetAt: null } };
}

test('who answers every page gets through or is told why not, and is never asked in circles', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    let given = someFacts(dice(seed));
    const path: string[] = [];
    for (let step = 0; step < 8; step++) {
      const decision = decide(given);
      path.push(told(decision));
      if (decision.kind === 'allow' || decision.kind === 'refuse') break;
      given = answer(given, decision);
    }
    const last = path.at(-1) ?? '';
    if (!last.startsWith('allow') && !last.startsWith('refuse'))
      return t.fail(`seed ${seed}: ${path.join(' → ')}`);
    // Nobody is asked to set something up who is then told that it will not do.
    const setUps = path.filter((one) => one.startsWith('enrol') && !one.includes('mailbox first'));
    const afterReset = setUps.some((one) => one.endsWith('| reset'));
    if (last.startsWith('refuse') && setUps.length > 0 && !(afterReset && last.includes('unknown_acr')))
      return t.fail(`seed ${seed}: ${path.join(' → ')}`);
    if (setUps.length > 1) return t.fail(`seed ${seed} sets up twice: ${path.join(' → ')}`);
  }
  t.pass();
});

test('a password alone claims nothing but itself, whatever the policy', (t) => {
  for (let seed = 1; seed <= rounds; seed++) {
    const given = { ...someFacts(dice(seed)), proofs: [proof('password')], remembered: null };
    const decision = decide(given);
    if (decision.kind === 'allow' && decision.assurance.acr !== acr1fa)
      return t.fail(`seed ${seed}: ${told(decision)}`);
  }
  t.pass();
});
