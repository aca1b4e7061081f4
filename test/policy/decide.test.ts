import test from 'ava';
import { acr1fa, acr2fa, acr2sv, acrRemembered } from '../../policy/assurance.ts';
import { decide } from '../../policy/decide.ts';
import type { Membership, Policy, Role } from '../../policy/types.ts';
import {
  acme,
  type Changes,
  daysAgo,
  disabledTotp,
  earlier,
  email,
  factor,
  facts,
  forAdmins,
  forAll,
  inDays,
  justNow,
  member,
  minutesAgo,
  now,
  optional,
  passkey,
  password,
  policy,
  proof,
  recommended,
  remembered,
  secondsAgo,
  sms,
  startedAt,
  told,
  totp,
  verified,
  zeta,
} from './fixtures.ts';

type Row = readonly [sentence: string, changes: Changes, expected: string];

const all = 'passkey,totp,device,sms,email';
const strong = 'passkey,totp,device,sms';
const until = (date: Date): string => date.toISOString();
const afterGrace = forAll(8);
const inGrace = forAll(3);
const invalid = new Date(Number.NaN);
const earlierPassword = proof('password', earlier);
const earlierTotp = proof('totp', earlier);
const uvPasskey = proof('passkey', justNow, verified);
const trustedUpstream = proof('upstream', justNow, { amr: ['pwd', 'mfa'] });
const others = (rules: Policy): readonly Membership[] => [
  member(rules),
  member(optional, { organization: zeta }),
];

// biome-ignore format: one row, one line
const table: Record<string, readonly Row[]> = {
  'first step': [
    ['nobody who has proved nothing gets further', { proofs: [] }, 'sign_in'],
    ['a right code alone is no sign-in', { user: { factors: [totp] }, proofs: [proof('totp')] }, 'sign_in'],
    ['a recovery code alone is no sign-in', { user: { factors: [totp] }, proofs: [proof('recovery_code')] }, 'sign_in'],
    ['a mailbox code alone is no sign-in', { proofs: [proof('mailbox')] }, 'sign_in'],
    ['a passkey that did not verify its user is no sign-in', { user: { factors: [passkey] }, proofs: [proof('passkey')] }, 'sign_in'],
    ['a remembered device never replaces the password', { user: { factors: [totp] }, proofs: [], remembered: remembered() }, 'sign_in'],
    ['a user-verified passkey is the whole sign-in', { user: { factors: [passkey] }, proofs: [uvPasskey] }, 'allow satisfied phr'],
    ['a passkey that was removed since is no sign-in', { user: { factors: [totp] }, proofs: [uvPasskey] }, 'sign_in'],
    ['an upstream provider is a first step', { proofs: [proof('upstream')] }, 'allow not_required 1fa'],
    ['a password is enough where nobody asks for more', {}, 'allow not_required 1fa'],
    ['a proof of a kind that we do not know is none', { proofs: [proof('magic' as 'password')] }, 'sign_in'],
    ['a password that was proved at no valid time counts for nothing', { proofs: [proof('password', invalid)] }, 'sign_in'],
  ],

  'a confirmed factor is always asked for': [
    ['a user with a factor is challenged although nobody requires it', { user: { factors: [totp] } }, 'challenge totp remember 30'],
    ['a user with a factor is challenged where it is recommended', { user: { factors: [totp] }, memberships: [member(recommended)] }, 'challenge totp remember 30'],
    ['a user with a factor is challenged also within grace', { user: { factors: [totp] }, memberships: [member(inGrace)] }, 'challenge totp remember 30'],
    ['having skipped does not spare a user with a factor', { user: { factors: [totp] }, memberships: [member(inGrace)], choices: { skippedAt: justNow } }, 'challenge totp remember 30'],
    ['having dismissed does not spare a user with a factor', { user: { factors: [totp] }, memberships: [member(recommended)], choices: { dismissedAt: justNow } }, 'challenge totp remember 30'],
    ['a factor is offered with the recovery codes that are left', { user: { factors: [totp], recoveryCodesLeft: 1 } }, 'challenge totp +recovery remember 30'],
    ['factors are offered strongest first', { user: { factors: [email, sms, totp, passkey] } }, 'challenge passkey,totp,sms,email remember 30'],
    ['the preferred factor comes first', { user: { factors: [email, totp, passkey], preferredFactorId: 'f-totp' } }, 'challenge totp,passkey,email remember 30'],
    ['a preferred factor that is disabled is not offered', { user: { factors: [disabledTotp, email], preferredFactorId: 'f-totp' } }, 'challenge email remember 30'],
    ['a disabled factor leaves the recovery codes', { user: { factors: [disabledTotp], recoveryCodesLeft: 3 } }, 'challenge +recovery'],
    ['a disabled factor without recovery codes stops the sign-in', { user: { factors: [disabledTotp] } }, 'refuse no_usable_factor'],
    ['a disabled factor stops a step-up as well', { user: { factors: [disabledTotp] }, application: { assurance: 'second_factor' } }, 'refuse no_usable_factor unmet'],
    ['a factor of a method that we do not know is never offered', { user: { factors: [factor('palm' as 'totp')] } }, 'refuse no_usable_factor'],
    ['a proof of a factor that was disabled since does not count', { user: { factors: [disabledTotp, sms] }, proofs: [password, proof('totp')] }, 'challenge sms remember 30'],
    ['a proof of a factor that was removed since does not count', { user: { factors: [sms] }, proofs: [password, proof('totp')] }, 'challenge sms remember 30'],
    ['a proof that borrows the id of another factor does not count', { user: { factors: [email] }, proofs: [password, proof('totp', justNow, { factorId: 'f-email' })] }, 'challenge email remember 30'],
    ['a proof without a factor does not count', { user: { factors: [totp] }, proofs: [password, proof('totp', justNow, { factorId: null })] }, 'challenge totp remember 30'],
    ['a factor that was proved lets in', { user: { factors: [totp] }, proofs: [password, proof('totp')] }, 'allow satisfied 2fa'],
    ['an e-mail code that was proved lets in as two steps', { user: { factors: [email] }, proofs: [password, proof('email')] }, 'allow satisfied 2sv'],
    ['a session that has proved a factor is not asked again', { user: { factors: [totp] }, proofs: [earlierPassword, earlierTotp] }, 'allow satisfied 2fa'],
    ['a recovery code lets in', { user: { factors: [totp] }, proofs: [password, proof('recovery_code')] }, 'allow satisfied 2fa'],
    ['a mailbox code is never a factor', { user: { factors: [email] }, proofs: [password, proof('mailbox')] }, 'challenge email remember 30'],
    ['an upstream provider without a factor of its own leaves ours to ask', { user: { factors: [totp] }, proofs: [proof('upstream', justNow, { amr: ['pwd'] })] }, 'challenge totp remember 30'],
    ['a second factor that a trusted upstream has asked for is not asked twice', { user: { factors: [totp] }, proofs: [trustedUpstream] }, 'allow satisfied 2fa'],
    ['a trusted upstream second factor satisfies a required policy', { memberships: [member(afterGrace)], proofs: [trustedUpstream] }, 'allow satisfied 2fa'],
    ['an upstream second factor is no passkey where only passkeys are allowed', { memberships: [member(forAll(8, { methods: ['passkey'] }))], proofs: [trustedUpstream] }, 'enrol passkey | none | acme'],
  ],

  remembered: [
    ['a remembered device stands in for the factor', { user: { factors: [totp] }, remembered: remembered() }, 'allow remembered remembered'],
    ['a remembered device is enough where a factor is required', { user: { factors: [totp] }, memberships: [member(afterGrace)], remembered: remembered() }, 'allow remembered remembered'],
    ['a device is remembered until the last millisecond of its days', { user: { factors: [totp] }, remembered: remembered({ createdAt: new Date(daysAgo(30).getTime() + 1) }) }, 'allow remembered remembered'],
    ['a device is forgotten when its days are over', { user: { factors: [totp] }, remembered: remembered({ createdAt: daysAgo(30) }) }, 'challenge totp remember 30'],
    ['a shorter time holds for devices that were remembered before', { user: { factors: [totp] }, memberships: [member(policy({ rememberDeviceDays: 3 }))], remembered: remembered() }, 'challenge totp remember 3'],
    ['a device is forgotten where remembering is off', { user: { factors: [totp] }, memberships: [member(policy({ rememberDeviceDays: 0 }))], remembered: remembered() }, 'challenge totp'],
    ['one of two organizations that forbids remembering is enough', { user: { factors: [totp] }, memberships: others(policy({ rememberDeviceDays: 0 })), remembered: remembered() }, 'challenge totp'],
    ['the shortest of two lifetimes is offered', { user: { factors: [totp] }, memberships: others(policy({ rememberDeviceDays: 2 })), remembered: remembered() }, 'challenge totp remember 2'],
    ['an organization that does not cover the application has no say in remembering', { user: { factors: [totp] }, memberships: others(policy({ rememberDeviceDays: 0, applications: ['wiki'] })), remembered: remembered() }, 'allow remembered remembered'],
    ['a change of the policy forgets the devices before it', { user: { factors: [totp] }, memberships: [member(policy({ changedAt: daysAgo(4) }))], remembered: remembered() }, 'challenge totp remember 30'],
    ['a device that was remembered at the moment of the change stays', { user: { factors: [totp] }, memberships: [member(policy({ changedAt: daysAgo(5) }))], remembered: remembered() }, 'allow remembered remembered'],
    ['a change in either of two organizations forgets the device', { user: { factors: [totp] }, memberships: others(policy({ changedAt: daysAgo(4) })), remembered: remembered() }, 'challenge totp remember 30'],
    ['a device that was remembered by a method that is not allowed is asked', { user: { factors: [email, totp] }, memberships: [member(policy({ methods: ['totp'] }))], remembered: remembered({ method: 'email' }) }, 'challenge totp remember 30'],
    ['a device that was remembered by a factor that is gone is asked', { user: { factors: [sms] }, remembered: remembered() }, 'challenge sms remember 30'],
    ['a device that was remembered by a factor that is disabled is asked', { user: { factors: [disabledTotp, sms] }, remembered: remembered() }, 'challenge sms remember 30'],
    ['a remembered device is no second factor for an application', { user: { factors: [totp] }, application: { assurance: 'second_factor' }, remembered: remembered() }, 'challenge totp'],
    ['a remembered device is no fresh factor', { user: { factors: [totp] }, application: { assurance: 'fresh_second_factor' }, remembered: remembered() }, 'challenge totp'],
    ['a remembered device is no passkey', { user: { factors: [passkey] }, application: { assurance: 'passkey' }, remembered: remembered({ method: 'passkey' }) }, 'challenge passkey'],
    ['a remembered device is not 2fa in a request', { user: { factors: [totp] }, request: { acrValues: [acr2fa] }, remembered: remembered() }, 'challenge totp'],
    ['a remembered device is not 2sv in a request', { user: { factors: [totp] }, request: { acrValues: [acr2sv] }, remembered: remembered() }, 'challenge totp'],
    ['a remembered device meets a request for one', { user: { factors: [totp] }, request: { acrValues: [acrRemembered] }, remembered: remembered() }, 'allow remembered remembered'],
    ['prompt=login asks the password again and leaves the device remembered', { user: { factors: [totp] }, request: { login: true }, remembered: remembered() }, 'allow remembered remembered'],
    ['a device helps nobody who has no factor', { memberships: [member(afterGrace)], remembered: remembered() }, `enrol ${all} | none | acme`],
    ['a lifetime that is no number remembers nothing', { user: { factors: [totp] }, memberships: [member(policy({ rememberDeviceDays: Number.NaN }))], remembered: remembered() }, 'challenge totp'],
    ['an endless lifetime remembers nothing', { user: { factors: [totp] }, memberships: [member(policy({ rememberDeviceDays: Number.POSITIVE_INFINITY }))], remembered: remembered() }, 'challenge totp'],
    ['a device that was remembered at no valid time is asked', { user: { factors: [totp] }, remembered: remembered({ createdAt: invalid }) }, 'challenge totp remember 30'],
    ['remembering is not offered for a method that is not allowed', { user: { factors: [email] }, memberships: [member(policy({ methods: ['totp'] }))] }, 'challenge email'],
    ['a device with nothing but recovery codes cannot be remembered', { user: { factors: [disabledTotp], recoveryCodesLeft: 8 }, memberships: [member(afterGrace)] }, 'challenge +recovery'],
  ],

  recommended: [
    ['a member is recommended to set up and may say not now', { memberships: [member(recommended)] }, `enrol ${all} | dismiss | acme`],
    ['a member who said not now is let in', { memberships: [member(recommended)], choices: { dismissedAt: justNow } }, 'allow dismissed 1fa'],
    ['not now holds for the session', { memberships: [member(recommended)], proofs: [earlierPassword], choices: { dismissedAt: earlier } }, 'allow dismissed 1fa'],
    ['not now is asked again after prompt=login', { memberships: [member(recommended)], request: { login: true }, choices: { dismissedAt: earlier } }, `enrol ${all} | dismiss | acme`],
    ['not now is asked again after a sign-in that max_age wanted', { memberships: [member(recommended)], proofs: [earlierPassword, password], request: { maxAge: 600 }, choices: { dismissedAt: earlier }}, `enrol ${all} | dismiss | acme`],
    ['a member who postponed is let in', { user: { postponedUntil: inDays(1) }, memberships: [member(recommended)] }, 'allow dismissed 1fa'],
    ['postponing ends at its instant', { user: { postponedUntil: now }, memberships: [member(recommended)] }, `enrol ${all} | dismiss | acme`],
    ['postponing to no valid time is none', { user: { postponedUntil: invalid }, memberships: [member(recommended)] }, `enrol ${all} | dismiss | acme`],
    ['postponing a recommendation is no way round a requirement', { user: { postponedUntil: inDays(9) }, memberships: [member(afterGrace)], choices: { dismissedAt: justNow }}, `enrol ${all} | none | acme`],
    ['skipping is no way of saying not now', { memberships: [member(recommended)], choices: { skippedAt: justNow } }, `enrol ${all} | dismiss | acme`],
    ['what cannot be set up is not recommended', { memberships: [member(recommended)], available: [] }, 'allow not_required 1fa'],
    ['only allowed and available methods are recommended', { memberships: [member(policy({ requirement: 'recommended', methods: ['email', 'totp', 'sms'] }))], available: ['email', 'totp'] }, 'enrol totp,email | dismiss | acme'],
    ['a member who has removed the last factor is recommended another', { user: { everHadFactor: true }, memberships: [member(recommended)] }, `enrol ${all} | dismiss | acme`],
    ['people without an organization are recommended by the instance', { instancePolicy: recommended }, `enrol ${all} | dismiss | instance`],
  ],

  'required, and grace': [
    ['a member in grace may skip until the deadline', { memberships: [member(inGrace)] }, `enrol ${all} | skip until ${until(inDays(4))} | acme`],
    ['a member in grace who skipped is let in', { memberships: [member(inGrace)], choices: { skippedAt: justNow } }, 'allow skipped 1fa'],
    ['a member who skipped earlier in the session is let in', { memberships: [member(inGrace)], proofs: [earlierPassword], choices: { skippedAt: earlier } }, 'allow skipped 1fa'],
    ['a member who skipped is asked again after prompt=login', { memberships: [member(inGrace)], request: { login: true }, choices: { skippedAt: earlier } }, `enrol ${all} | skip until ${until(inDays(4))} | acme`],
    ['a skip at no valid time is none', { memberships: [member(inGrace)], choices: { skippedAt: invalid } }, `enrol ${all} | skip until ${until(inDays(4))} | acme`],
    ['not now is no way of skipping', { memberships: [member(inGrace)], choices: { dismissedAt: justNow } }, `enrol ${all} | skip until ${until(inDays(4))} | acme`],
    ['a member may skip a millisecond before the deadline', { now: new Date(inDays(4).getTime() - 1), memberships: [member(inGrace)], choices: { skippedAt: justNow }}, 'allow skipped 1fa'],
    ['a member may not skip at the deadline', { now: inDays(4), memberships: [member(inGrace)] }, `enrol ${all} | none | acme`],
    ['a member who skipped must set up once the deadline is there', { now: inDays(4), memberships: [member(inGrace)], choices: { skippedAt: justNow } }, `enrol ${all} | none | acme`],
    ['a policy that was turned on a second ago holds in a running session', { proofs: [earlierPassword], memberships: [member(forAll(0, { graceDays: 0 }))] }, `enrol ${all} | none | acme`],
    ['grace begins when a new member joins', { memberships: [member(forAll(100), { joinedAt: daysAgo(2) })] }, `enrol ${all} | skip until ${until(inDays(5))} | acme`],
    ['grace does not begin again by joining again', { memberships: [member(forAll(100), { joinedAt: daysAgo(2), graceStartedAt: daysAgo(50) })] }, `enrol ${all} | none | acme`],
    ['turning the policy off and on does not begin grace again', { memberships: [member(forAll(0), { graceStartedAt: daysAgo(6) })] }, `enrol ${all} | skip until ${until(inDays(1))} | acme`],
    ['a start that was recorded too late extends nothing', { memberships: [member(forAll(5), { graceStartedAt: now })] }, `enrol ${all} | skip until ${until(inDays(2))} | acme`],
    ['shortening the grace shortens it', { memberships: [member(forAll(5, { graceDays: 5 }), { graceStartedAt: daysAgo(5) })] }, `enrol ${all} | none | acme`],
    ['who ever had a factor gets no grace', { user: { everHadFactor: true }, memberships: [member(inGrace)] }, `enrol ${all} | none | acme`],
    ['who ever had a factor cannot have skipped', { user: { everHadFactor: true }, memberships: [member(inGrace)], choices: { skippedAt: justNow } }, `enrol ${all} | none | acme`],
    ['a recent admin has grace from becoming one', { memberships: [member(forAdmins(100), { role: 'admin', adminSince: daysAgo(1) })] }, `enrol ${all} | skip until ${until(inDays(6))} | acme`],
    ['becoming an admin begins no second grace where everybody must', { memberships: [member(forAll(100), { role: 'admin', adminSince: daysAgo(1) })] }, `enrol ${all} | none | acme`],
    ['requiring everybody gives admins no second grace', { memberships: [member(forAll(0, { adminsRequiredSince: daysAgo(30) }), { role: 'owner' })] }, `enrol ${all} | none | acme`],
    ['requiring everybody gives members their grace although admins had theirs', { memberships: [member(forAll(0, { adminsRequiredSince: daysAgo(30) }))] }, `enrol ${all} | skip until ${until(inDays(7))} | acme`],
    ['a requirement since nobody knows when has no grace', { memberships: [member(forAll(0, { adminsRequiredSince: null, allRequiredSince: null }))] }, `enrol ${all} | none | acme`],
    ['a requirement since no valid time has no grace', { memberships: [member(forAll(0, { allRequiredSince: invalid }))] }, `enrol ${all} | none | acme`],
    ['joining at no valid time has no grace', { memberships: [member(forAll(0), { joinedAt: invalid })] }, `enrol ${all} | none | acme`],
    ['a grace of no number of days is none', { memberships: [member(forAll(0, { graceDays: Number.NaN }))] }, `enrol ${all} | none | acme`],
    ['an endless grace is none', { memberships: [member(forAll(0, { graceDays: Number.POSITIVE_INFINITY }))] }, `enrol ${all} | none | acme`],
    ['a grace of more than 90 days is none', { memberships: [member(forAll(0, { graceDays: 91 }))] }, `enrol ${all} | none | acme`],
    ['at no valid time nothing can be skipped', { now: invalid, memberships: [member(inGrace)], choices: { skippedAt: justNow } }, `enrol ${all} | none | acme`],
    ['only allowed and available methods are offered', { memberships: [member(forAll(8, { methods: ['email', 'sms', 'totp'] }))], available: ['totp', 'email'] }, 'enrol totp,email | none | acme'],
    ['a required factor that nobody can set up stops the sign-in', { memberships: [member(forAll(8, { methods: ['sms'] }))], available: ['totp'] }, 'refuse no_method_available'],
    ['a required policy without methods stops the sign-in', { memberships: [member(forAll(8, { methods: [] }))] }, 'refuse no_method_available'],
    ['a requirement that we do not know is the strictest', { memberships: [member(policy({ requirement: 'maybe' as 'optional' }))] }, `enrol ${all} | none | acme`],
    ['a role that we do not know is an admin to the rules', { memberships: [member(forAdmins(8), { role: 'guest' as Role })] }, `enrol ${all} | none | acme`],
    ['the instance requires as well', { instancePolicy: forAll(8) }, `enrol ${all} | none | instance`],
    ['an instance that requires without any method stops the sign-in', { instancePolicy: forAll(8, { methods: [] }) }, 'refuse no_method_available'],
    ['the instance gives grace as well', { instancePolicy: inGrace }, `enrol ${all} | skip until ${until(inDays(4))} | instance`],
    ['people without an organization are nobody’s admins', { instancePolicy: forAdmins(8) }, 'allow not_required 1fa'],
    ['people without an organization are the others', { instancePolicy: forAdmins(8, { others: 'recommended' }) }, `enrol ${all} | dismiss | instance`],
    ['a proved factor ends all that', { user: { factors: [totp] }, memberships: [member(afterGrace)], proofs: [password, proof('totp')] }, 'allow satisfied 2fa'],
    ['an organization that allows e-mail is satisfied by it', { user: { factors: [email] }, memberships: [member(afterGrace)], proofs: [password, proof('email')] }, 'allow satisfied 2sv'],
    ['a recovery code satisfies the organization of a user with an allowed factor', { user: { factors: [totp] }, memberships: [member(afterGrace)], proofs: [password, proof('recovery_code')] }, 'allow satisfied 2fa'],
    ['a recovery code without any factor satisfies no organization', { user: { everHadFactor: true }, memberships: [member(afterGrace)], proofs: [password, proof('recovery_code')] }, `enrol ${all} | none | acme`],
  ],

  'models of passkeys': [
    ['one of the listed models is enough', { user: { factors: [factor('passkey', { model: 'key-a' })] }, memberships: [member(forAll(8, { passkeyModels: ['key-a', 'key-b'] }))], proofs: [password, proof('passkey')] }, 'allow satisfied phr'],
    ['another model is asked for, and then one of the list is set up', { user: { factors: [factor('passkey', { model: 'key-z' })] }, memberships: [member(forAll(8, { methods: ['passkey'], passkeyModels: ['key-a'] }))], proofs: [password, proof('passkey')] }, 'enrol passkey | none | acme'],
    ['so is one that nobody has attested', { user: { factors: [passkey] }, memberships: [member(forAll(8, { methods: ['passkey'], passkeyModels: ['key-a'] }))], proofs: [password, proof('passkey')] }, 'enrol passkey | none | acme'],
    ['of two organizations both must accept it', { user: { factors: [factor('passkey', { model: 'key-a' })] }, memberships: [member(forAll(8, { methods: ['passkey'], passkeyModels: ['key-a'] })), member(forAll(8, { methods: ['passkey'], passkeyModels: ['key-b'] }), { organization: zeta })], proofs: [password, proof('passkey')] }, 'refuse no_method_available'],
    ['where nothing is required any passkey is enough', { user: { factors: [passkey] }, memberships: [member(policy({ passkeyModels: ['key-a'] }))], proofs: [password, proof('passkey')] }, 'allow satisfied phr'],
    ['a device that was remembered by one of them is enough', { user: { factors: [factor('passkey', { model: 'key-a' })] }, memberships: [member(forAll(8, { passkeyModels: ['key-a'] }))], remembered: remembered({ method: 'passkey' }) }, 'allow remembered remembered'],
    ['a device that was remembered by another model, for an organization that takes it, is asked', { user: { factors: [factor('passkey', { model: 'key-z' })] }, memberships: [member(forAll(8, { passkeyModels: ['key-a'] }))], remembered: remembered({ method: 'passkey' }) }, 'challenge passkey'],
    ['a factor that is accepted is asked for before', { user: { factors: [passkey, totp] }, memberships: [member(forAll(8, { passkeyModels: ['key-a'] }))] }, 'challenge totp remember 30'],
  ],

  'factors that are closed or lost': [
    ['a code by mail is no way to bind a new app in place of one that was closed', { user: { factors: [disabledTotp, email] }, application: { assurance: 'second_factor' }, proofs: [password, proof('email')] }, 'refuse no_usable_factor unmet'],
    ['nor where the organization asks for the app', { user: { factors: [disabledTotp, email] }, memberships: [member(forAll(8, { methods: ['totp'] }))], proofs: [password, proof('email')] }, 'refuse no_usable_factor'],
    ['a recovery code is asked for instead', { user: { factors: [disabledTotp, email], recoveryCodesLeft: 2 }, application: { assurance: 'second_factor' }, proofs: [password, proof('email')] }, 'challenge +recovery'],
    ['and opens the way to a new one', { user: { factors: [disabledTotp, email], recoveryCodesLeft: 1 }, memberships: [member(forAll(8, { methods: ['passkey'] }))], proofs: [password, proof('recovery_code')] }, 'enrol passkey | none | acme'],
    ['a factor as strong as the closed one does too', { user: { factors: [disabledTotp, sms] }, memberships: [member(forAll(8, { methods: ['totp'] }))], proofs: [password, proof('sms')] }, 'enrol totp | none | acme'],
    ['who has used a recovery code is not asked for the passkey that is lost: a new one is set up', { user: { factors: [passkey], recoveryCodesLeft: 3 }, application: { assurance: 'passkey' }, proofs: [password, proof('recovery_code')] }, 'enrol passkey | none | application'],
    ['but is, where the code was used in an earlier request', { user: { factors: [passkey], recoveryCodesLeft: 3 }, application: { assurance: 'passkey' }, proofs: [password, proof('recovery_code', earlier)] }, 'challenge passkey'],
  ],

  'methods that are not allowed': [
    ['a factor that is not allowed is asked first', { user: { factors: [sms] }, memberships: [member(forAll(8, { methods: ['passkey'] }))] }, 'challenge sms'],
    ['and then an allowed one is set up', { user: { factors: [sms] }, memberships: [member(forAll(8, { methods: ['passkey'] }))], proofs: [password, proof('sms')] }, 'enrol passkey | none | acme'],
    ['with grace where it runs', { user: { factors: [sms] }, memberships: [member(forAll(3, { methods: ['passkey'] }))], proofs: [password, proof('sms')] }, `enrol passkey | skip until ${until(inDays(4))} | acme`],
    ['which can be skipped, and the claims say what was done', { user: { factors: [sms] }, memberships: [member(forAll(3, { methods: ['passkey'] }))], proofs: [password, proof('sms')], choices: { skippedAt: justNow }}, 'allow skipped 2fa'],
    ['skipping does not spare the factor that one has', { user: { factors: [sms] }, memberships: [member(forAll(3, { methods: ['passkey'] }))], choices: { skippedAt: justNow }}, 'challenge sms'],
    ['and ends at the deadline', { now: inDays(4), user: { factors: [sms] }, memberships: [member(forAll(3, { methods: ['passkey'] }))], proofs: [password, proof('sms')], choices: { skippedAt: justNow }}, 'enrol passkey | none | acme'],
    ['a recovery code lets in only to set up', { user: { factors: [sms] }, memberships: [member(forAll(8, { methods: ['passkey'] }))], proofs: [password, proof('recovery_code')] }, 'enrol passkey | none | acme'],
    ['a user who has an allowed factor beside is asked for that', { user: { factors: [sms, totp] }, memberships: [member(forAll(8, { methods: ['totp'] }))] }, 'challenge totp remember 30'],
    ['a user who proved the other one is asked for the allowed one', { user: { factors: [sms, totp] }, memberships: [member(forAll(8, { methods: ['totp'] }))], proofs: [password, proof('sms')] }, 'challenge totp remember 30'],
    ['or for a recovery code', { user: { factors: [sms, totp], recoveryCodesLeft: 2 }, memberships: [member(forAll(8, { methods: ['totp'] }))], proofs: [password, proof('sms')] }, 'challenge totp +recovery remember 30'],
    ['grace does not spare an allowed factor that one has', { user: { factors: [sms, totp] }, memberships: [member(forAll(3, { methods: ['totp'] }))], proofs: [password, proof('sms')], choices: { skippedAt: justNow }}, 'challenge totp remember 30'],
    ['where nothing is required any factor is enough', { user: { factors: [sms] }, memberships: [member(policy({ methods: ['passkey'] }))], proofs: [password, proof('sms')] }, 'allow satisfied 2fa'],
    ['where it is recommended any factor is enough', { user: { factors: [sms] }, memberships: [member(policy({ requirement: 'recommended', methods: ['passkey'] }))], proofs: [password, proof('sms')] }, 'allow satisfied 2fa'],
    ['an allowed method that cannot be set up stops the sign-in', { user: { factors: [sms] }, memberships: [member(forAll(8, { methods: ['passkey'] }))], available: ['sms', 'totp'], proofs: [password, proof('sms')] }, 'refuse no_method_available'],
    ['a passkey that the organization has turned off is not enough', { user: { factors: [passkey] }, memberships: [member(forAll(8, { methods: ['totp'] }))], proofs: [uvPasskey] }, 'enrol totp | none | acme'],
  ],

  'several organizations': [
    ['an organization beside that asks for nothing relaxes nothing', { memberships: others(afterGrace) }, `enrol ${all} | none | acme`],
    ['the order of memberships does not matter', { memberships: [member(optional, { organization: zeta }), member(afterGrace)] }, `enrol ${all} | none | acme`],
    ['the one that requires speaks, not the one that recommends', { memberships: [member(recommended), member(inGrace, { organization: zeta })] }, `enrol ${all} | skip until ${until(inDays(4))} | zeta`],
    ['the earliest deadline holds, and its organization asks', { memberships: [member(forAll(1)), member(forAll(3), { organization: zeta })] }, `enrol ${all} | skip until ${until(inDays(4))} | zeta`],
    ['one deadline that is over is enough', { memberships: [member(forAll(1, { graceDays: 90 })), member(forAll(3, { graceDays: 0 }), { organization: zeta })], choices: { skippedAt: justNow }}, `enrol ${all} | none | zeta`],
    ['only methods that all allow are offered', { memberships: [member(forAll(8, { methods: ['passkey', 'totp'] })), member(policy({ methods: ['totp', 'email'] }), { organization: zeta })] }, 'enrol totp | none | acme'],
    ['without a common method those of the strictest hold', { memberships: [member(policy({ methods: ['totp'] })), member(forAll(8, { methods: ['passkey'] }), { organization: zeta })] }, 'enrol passkey | none | zeta'],
    ['without a common method those of the application’s owner win', { memberships: [member(policy({ methods: ['totp'] })), member(forAll(8, { methods: ['passkey'] }), { organization: zeta })], application: { organizationId: acme.id }}, 'enrol totp | none | zeta'],
    ['an owner of the application that is not the person’s organization has no say', { memberships: [member(policy({ methods: ['totp'] })), member(forAll(8, { methods: ['passkey'] }), { organization: zeta })], application: { organizationId: 'o-other' }}, 'enrol passkey | none | zeta'],
    ['an owner that wins without any method stops the sign-in', { memberships: [member(forAll(8, { methods: [] })), member(optional, { organization: zeta })], application: { organizationId: acme.id }}, 'refuse no_method_available'],
    ['an admin in one is a member in the other', { memberships: [member(forAdmins(8), { role: 'member' }), member(optional, { organization: zeta, role: 'owner' })] }, 'allow not_required 1fa'],
    ['a covering organization replaces the instance’s rules', { memberships: [member(optional)], instancePolicy: forAll(8) }, 'allow not_required 1fa'],
  ],

  'applications that a policy covers': [
    ['a listed application is covered', { memberships: [member(forAll(8, { applications: ['wiki', 'crm'] }))] }, `enrol ${all} | none | acme`],
    ['another application is not', { memberships: [member(forAll(8, { applications: ['wiki'] }))] }, 'allow not_required 1fa'],
    ['an empty list covers none', { memberships: [member(forAll(8, { applications: [] }))] }, 'allow not_required 1fa'],
    ['an application that is not covered is under the instance’s rules', { memberships: [member(optional, { organization: zeta }), member(afterGrace)].map((one) => ({ ...one, policy: { ...one.policy, applications: ['wiki'] }})), instancePolicy: recommended }, `enrol ${all} | dismiss | instance`],
    ['a factor is asked for also where no policy covers', { user: { factors: [totp] }, memberships: [member(forAll(8, { applications: ['wiki'] }))] }, 'challenge totp remember 30'],
    ['a list of neither sort covers all', { memberships: [member(forAll(8, { applications: 'some' as 'all' }))] }, `enrol ${all} | none | acme`],
    ['a name that holds the application’s is another application', { memberships: [member(forAll(8, { applications: ['crm-test'] }))] }, 'allow not_required 1fa'],
  ],

  'what the application asks for': [
    ['a second factor is asked of a user who has one', { user: { factors: [totp] }, application: { assurance: 'second_factor' } }, 'challenge totp'],
    ['a second factor of this session is enough', { user: { factors: [totp] }, application: { assurance: 'second_factor' }, proofs: [earlierPassword, earlierTotp] }, 'allow satisfied 2fa'],
    ['an e-mail code is no second factor', { user: { factors: [email] }, application: { assurance: 'second_factor' }, proofs: [password, proof('email')] }, `enrol ${strong} | none | application`],
    ['an e-mail code is asked first and a second factor then set up', { user: { factors: [email] }, application: { assurance: 'second_factor' } }, 'challenge email'],
    ['of two factors the one that can meet it is asked', { user: { factors: [email, sms] }, application: { assurance: 'second_factor' } }, 'challenge sms'],
    ['who proved only e-mail is asked for the stronger factor', { user: { factors: [email, sms] }, application: { assurance: 'second_factor' }, proofs: [password, proof('email')] }, 'challenge sms'],
    ['a recovery code is a second factor', { user: { factors: [totp] }, application: { assurance: 'second_factor' }, proofs: [password, proof('recovery_code')] }, 'allow satisfied 2fa'],
    ['a user without a factor must set one up', { application: { assurance: 'second_factor' } }, `enrol ${strong} | none | application`],
    ['an organization’s grace does not hold for the application’s demand', { memberships: [member(inGrace)], application: { assurance: 'second_factor' }, choices: { skippedAt: justNow }}, `enrol ${strong} | none | application`],
    ['postponing does not hold for the application’s demand', { user: { postponedUntil: inDays(9) }, memberships: [member(recommended)], application: { assurance: 'second_factor' }, choices: { dismissedAt: justNow }}, `enrol ${strong} | none | application`],
    ['where the organization allows only e-mail a second factor cannot be had', { memberships: [member(forAll(8, { methods: ['email'] }))], application: { assurance: 'second_factor' }}, 'refuse no_method_available unmet'],
    ['nor with an e-mail code', { user: { factors: [email] }, memberships: [member(forAll(8, { methods: ['email'] }))], application: { assurance: 'second_factor' }, proofs: [password, proof('email')] }, 'refuse no_method_available unmet'],
    ['a factor that meets the application leaves the organization’s to be asked', { user: { factors: [email, totp] }, memberships: [member(forAll(8, { methods: ['email'] }))], application: { assurance: 'second_factor' }, proofs: [password, proof('totp')] }, 'challenge email'],
    ['both together are enough', { user: { factors: [email, totp] }, memberships: [member(forAll(8, { methods: ['email'] }))], application: { assurance: 'second_factor' }, proofs: [password, proof('totp'), proof('email')] }, 'allow satisfied 2fa'],
    ['where one factor meets both, that one is asked for', { user: { factors: [sms, totp, passkey], preferredFactorId: 'f-totp' }, memberships: [member(forAll(8, { methods: ['totp', 'passkey'] }))], application: { assurance: 'passkey' }, proofs: [password, proof('sms')] }, 'challenge passkey'],
    ['a trusted upstream second factor is one', { application: { assurance: 'second_factor' }, proofs: [trustedUpstream] }, 'allow satisfied 2fa'],
    ['a fresh factor is asked for in every sign-in', { user: { factors: [totp] }, application: { assurance: 'fresh_second_factor' }, proofs: [earlierPassword, earlierTotp] }, 'challenge totp'],
    ['a factor a millisecond before the request is not fresh', { user: { factors: [totp] }, application: { assurance: 'fresh_second_factor' }, proofs: [earlierPassword, proof('totp', new Date(startedAt.getTime() - 1))] }, 'challenge totp'],
    ['a factor since the request is fresh, and the password may be older', { user: { factors: [totp] }, application: { assurance: 'fresh_second_factor' }, proofs: [earlierPassword, proof('totp', startedAt)] }, 'allow satisfied 2fa'],
    ['a fresh recovery code is a fresh factor', { user: { factors: [totp] }, application: { assurance: 'fresh_second_factor' }, proofs: [earlierPassword, proof('recovery_code')] }, 'allow satisfied 2fa'],
    ['an old recovery code is not', { user: { factors: [totp], recoveryCodesLeft: 7 }, application: { assurance: 'fresh_second_factor' }, proofs: [earlierPassword, proof('recovery_code', earlier)] }, 'challenge totp +recovery'],
    ['an old upstream second factor is not fresh', { application: { assurance: 'fresh_second_factor' }, proofs: [{ ...trustedUpstream, at: earlier }] }, `enrol ${strong} | none | application`],
    ['a passkey is asked for with user verification', { user: { factors: [passkey, totp], recoveryCodesLeft: 1 }, application: { assurance: 'passkey' } }, 'challenge passkey +recovery'],
    ['a user-verified passkey is enough', { user: { factors: [passkey] }, application: { assurance: 'passkey' }, proofs: [password, uvPasskey] }, 'allow satisfied phr'],
    ['a passkey that did not verify its user is asked again', { user: { factors: [passkey], recoveryCodesLeft: 1 }, application: { assurance: 'passkey' }, proofs: [password, proof('passkey')] }, 'challenge passkey'],
    ['who has no passkey is asked for another factor first', { user: { factors: [totp], recoveryCodesLeft: 1 }, application: { assurance: 'passkey' } }, 'challenge totp +recovery'],
    ['and then sets up a passkey', { user: { factors: [totp] }, application: { assurance: 'passkey' }, proofs: [password, proof('totp')] }, 'enrol passkey | none | application'],
    ['as after a recovery code', { user: { factors: [totp] }, application: { assurance: 'passkey' }, proofs: [password, proof('recovery_code')] }, 'enrol passkey | none | application'],
    ['who has no factor sets up a passkey', { application: { assurance: 'passkey' } }, 'enrol passkey | none | application'],
    ['where passkeys are not allowed that ends here', { memberships: [member(policy({ methods: ['totp'] }))], application: { assurance: 'passkey' } }, 'refuse no_method_available unmet'],
    ['where passkeys are not available that ends here', { application: { assurance: 'passkey' }, available: ['totp'] }, 'refuse no_method_available unmet'],
    ['a trusted upstream second factor is no passkey', { application: { assurance: 'passkey' }, proofs: [trustedUpstream] }, 'enrol passkey | none | application'],
    ['an assurance that we do not know is the highest', { user: { factors: [totp] }, application: { assurance: 'most' as 'none' }, proofs: [password, proof('totp')] }, 'enrol passkey | none | application'],
    ['an e-mail code does not replace a factor that was closed', { user: { factors: [disabledTotp, email] }, application: { assurance: 'second_factor' }, proofs: [password, proof('email')] }, 'refuse no_usable_factor unmet'],
  ],

  'what the request asks for': [
    ['1fa asks for nothing', { request: { acrValues: [acr1fa], essential: true } }, 'allow not_required 1fa'],
    ['1fa does not spare a factor', { user: { factors: [totp] }, request: { acrValues: [acr1fa], essential: true } }, 'challenge totp remember 30'],
    ['remembered is met by more', { user: { factors: [email] }, request: { acrValues: [acrRemembered] }, proofs: [password, proof('email')] }, 'allow satisfied 2sv'],
    ['remembered makes somebody without a factor set up one', { request: { acrValues: [acrRemembered] } }, `enrol ${all} | none | request`],
    ['remembered still offers to remember', { user: { factors: [totp] }, request: { acrValues: [acrRemembered] } }, 'challenge totp remember 30'],
    ['but not in a session that a recovery code began', { user: { factors: [totp] }, request: { acrValues: [acrRemembered], maxAge: 600 }, proofs: [proof('password', minutesAgo(5)), proof('recovery_code', earlier)] }, 'challenge totp'],
    ['2sv is met by e-mail', { user: { factors: [email] }, request: { acrValues: [acr2sv] }, proofs: [password, proof('email')] }, 'allow satisfied 2sv'],
    ['2sv may be set up by e-mail', { request: { acrValues: [acr2sv] } }, `enrol ${all} | none | request`],
    ['2fa is not met by e-mail', { user: { factors: [email] }, request: { acrValues: [acr2fa] }, proofs: [password, proof('email')] }, `enrol ${strong} | none | request`],
    ['2fa steps up a session with a password', { user: { factors: [totp] }, request: { acrValues: [acr2fa] }, proofs: [earlierPassword] }, 'challenge totp'],
    ['2fa of this session is enough', { user: { factors: [totp] }, request: { acrValues: [acr2fa] }, proofs: [earlierPassword, earlierTotp] }, 'allow satisfied 2fa'],
    ['2fa is met by a passkey', { user: { factors: [passkey] }, request: { acrValues: [acr2fa] }, proofs: [password, proof('passkey')] }, 'allow satisfied phr'],
    ['2fa is called mfa by others', { user: { factors: [email, totp] }, request: { acrValues: ['mfa'] }, proofs: [password, proof('email')] }, 'challenge totp'],
    ['2fa is called multi-factor by others', { request: { acrValues: ['http://schemas.openid.net/pape/policies/2007/06/multi-factor'], essential: true }}, `enrol ${strong} | none | request`],
    ['2fa is not subject to an organization’s grace', { memberships: [member(inGrace)], request: { acrValues: [acr2fa] }, choices: { skippedAt: justNow } }, `enrol ${strong} | none | request`],
    ['phr is met by a passkey', { user: { factors: [passkey] }, request: { acrValues: ['phr'] }, proofs: [password, proof('passkey')] }, 'allow satisfied phr'],
    ['phr is not met by a code', { user: { factors: [totp, passkey] }, request: { acrValues: ['phr'] }, proofs: [password, proof('totp')] }, 'challenge passkey'],
    ['phr is not met by a recovery code', { user: { factors: [totp], recoveryCodesLeft: 1 }, request: { acrValues: ['phr'] }, proofs: [password, proof('recovery_code')] }, 'enrol passkey | none | request'],
    ['phr cannot be had where passkeys are not available', { user: { factors: [totp] }, request: { acrValues: ['phr'], essential: true }, proofs: [password, proof('totp')], available: ['totp'] }, 'refuse no_method_available unmet'],
    ['the weakest of several values is what is asked for', { user: { factors: [email] }, request: { acrValues: ['phr', acr2sv] }, proofs: [password, proof('email')] }, 'allow satisfied 2sv'],
    ['unknown values beside a known one are ignored', { user: { factors: [totp] }, request: { acrValues: ['gold', acr2fa], essential: true } }, 'challenge totp'],
    ['unknown values alone are ignored where they are voluntary', { request: { acrValues: ['gold'] } }, 'allow not_required 1fa'],
    ['unknown values alone are refused where they are essential', { request: { acrValues: ['gold'], essential: true } }, 'refuse unknown_acr unmet'],
    ['also of a session that has proved all there is', { user: { factors: [passkey] }, proofs: [uvPasskey], request: { acrValues: ['gold'], essential: true }}, 'refuse unknown_acr unmet'],
    ['an unknown value is refused only to who has signed in', { proofs: [], request: { acrValues: ['gold'], essential: true } }, 'sign_in'],
    ['an essential claim without a value asks for nothing', { request: { acrValues: [], essential: true } }, 'allow not_required 1fa'],
    ['the name of an assurance in another case is unknown', { request: { acrValues: ['PHR'], essential: true } }, 'refuse unknown_acr unmet'],
    ['a request asks no less than its application', { user: { factors: [totp] }, application: { assurance: 'passkey' }, request: { acrValues: [acr2sv] }, proofs: [password, proof('totp')] }, 'enrol passkey | none | application'],
    ['a request may ask for more than its application', { user: { factors: [totp] }, application: { assurance: 'second_factor' }, request: { acrValues: ['phr'] }, proofs: [password, proof('totp')] }, 'enrol passkey | none | request'],
    ['what is asked for by both must be fresh where the application wants it fresh', { user: { factors: [passkey] }, application: { assurance: 'fresh_second_factor' }, request: { acrValues: ['phr'] }, proofs: [earlierPassword, proof('passkey', earlier)] }, 'challenge passkey'],
  ],

  'prompt=login': [
    ['a session counts for nothing', { user: { factors: [totp] }, request: { login: true }, proofs: [earlierPassword, earlierTotp] }, 'sign_in'],
    ['after the password the factor is asked again', { user: { factors: [totp] }, request: { login: true }, proofs: [earlierPassword, earlierTotp, password] }, 'challenge totp remember 30'],
    ['after both it is done', { user: { factors: [totp] }, request: { login: true }, proofs: [earlierPassword, earlierTotp, password, proof('totp')] }, 'allow satisfied 2fa'],
    ['an old passkey sign-in does not count', { user: { factors: [passkey] }, request: { login: true }, proofs: [proof('passkey', earlier, verified)] }, 'sign_in'],
    ['what was proved at the moment of the request counts', { request: { login: true }, proofs: [proof('password', startedAt)] }, 'allow not_required 1fa'],
    ['what was proved a millisecond before does not', { request: { login: true }, proofs: [proof('password', new Date(startedAt.getTime() - 1))] }, 'sign_in'],
    ['a request of no valid time counts nothing', { request: { login: true, startedAt: invalid } }, 'sign_in'],
    ['an old factor does not return with the claims', { request: { login: true }, proofs: [earlierPassword, proof('upstream', earlier, { amr: ['mfa'] }), password] }, 'allow not_required 1fa'],
  ],

  max_age: [
    ['a session that is young enough counts', { request: { maxAge: 3600 }, proofs: [proof('password', minutesAgo(61))] }, 'allow not_required 1fa'],
    ['a session that is a millisecond too old does not', { request: { maxAge: 3600 }, proofs: [proof('password', new Date(minutesAgo(61).getTime() - 1))] }, 'sign_in'],
    ['the newest proof is the session’s age', { user: { factors: [totp] }, request: { maxAge: 600 }, proofs: [earlierPassword, proof('totp', minutesAgo(5))] }, 'allow satisfied 2fa'],
    ['a mailbox code makes no session younger', { request: { maxAge: 600 }, proofs: [earlierPassword, proof('mailbox', minutesAgo(5))] }, 'sign_in'],
    ['a factor that was removed makes no session younger', { request: { maxAge: 600 }, proofs: [earlierPassword, proof('totp', minutesAgo(5))] }, 'sign_in'],
    ['an old session is asked for everything: first the password', { user: { factors: [totp] }, request: { maxAge: 600 }, proofs: [earlierPassword, earlierTotp] }, 'sign_in'],
    ['then the factor, though the password is new', { user: { factors: [totp] }, request: { maxAge: 600 }, proofs: [earlierPassword, earlierTotp, password] }, 'challenge totp remember 30'],
    ['and then it is done', { user: { factors: [totp] }, request: { maxAge: 600 }, proofs: [earlierPassword, earlierTotp, password, proof('totp')] }, 'allow satisfied 2fa'],
    ['max_age=0 always asks', { request: { maxAge: 0 }, proofs: [proof('password', secondsAgo(61))] }, 'sign_in'],
    ['max_age=0 is met by what was proved since the request', { request: { maxAge: 0 } }, 'allow not_required 1fa'],
    ['a negative age is none', { request: { maxAge: -5 }, proofs: [earlierPassword] }, 'sign_in'],
    ['an age that is no number is none', { request: { maxAge: Number.NaN }, proofs: [earlierPassword] }, 'sign_in'],
    ['an endless age is none', { request: { maxAge: Number.POSITIVE_INFINITY }, proofs: [earlierPassword] }, 'sign_in'],
    ['2fa with max_age wants a recent factor', { user: { factors: [totp] }, request: { maxAge: 600, acrValues: [acr2fa] }, proofs: [proof('password', minutesAgo(5)), earlierTotp] }, 'challenge totp'],
    ['2fa with max_age is met by a recent factor', { user: { factors: [totp] }, request: { maxAge: 600, acrValues: [acr2fa] }, proofs: [earlierPassword, proof('totp', minutesAgo(11))] }, 'allow satisfied 2fa'],
    ['an application’s factor with max_age must be recent too', { user: { factors: [totp] }, application: { assurance: 'second_factor' }, request: { maxAge: 600 }, proofs: [proof('password', minutesAgo(5)), earlierTotp] }, 'challenge totp'],
    ['without a demand an older factor of a young session will do', { user: { factors: [totp] }, request: { maxAge: 600 }, proofs: [proof('password', minutesAgo(5)), earlierTotp] }, 'allow satisfied 2fa'],
    ['a request of no valid time counts nothing', { request: { maxAge: 600, startedAt: invalid } }, 'sign_in'],
  ],

  'reset by an admin': [
    ['a code to the mailbox comes before the new set-up', { user: { everHadFactor: true, resetAt: daysAgo(1) } }, `enrol ${all} | none | reset | mailbox first`],
    ['after the code a factor is set up', { user: { everHadFactor: true, resetAt: daysAgo(1) }, proofs: [password, proof('mailbox')] }, `enrol ${all} | none | reset`],
    ['a code from before the reset does not count', { user: { resetAt: minutesAgo(2) }, proofs: [password, proof('mailbox', minutesAgo(3))] }, `enrol ${all} | none | reset | mailbox first`],
    ['a code at the moment of the reset counts', { user: { resetAt: minutesAgo(2) }, proofs: [password, proof('mailbox', minutesAgo(2))] }, `enrol ${all} | none | reset`],
    ['prompt=login wants a new code', { user: { resetAt: daysAgo(1) }, request: { login: true }, proofs: [password, proof('mailbox', earlier)] }, `enrol ${all} | none | reset | mailbox first`],
    ['there is no grace after a reset', { user: { resetAt: daysAgo(1) }, memberships: [member(inGrace)], choices: { skippedAt: justNow } }, `enrol ${all} | none | reset | mailbox first`],
    ['there is no not-now after a reset', { user: { resetAt: daysAgo(1), postponedUntil: inDays(9) }, memberships: [member(recommended)], choices: { dismissedAt: justNow }}, `enrol ${all} | none | reset | mailbox first`],
    ['a remembered device does not help after a reset', { user: { resetAt: daysAgo(1), factors: [totp] }, remembered: remembered({ createdAt: now }) }, `enrol ${all} | none | reset | mailbox first`],
    ['nor does a factor', { user: { resetAt: daysAgo(1), factors: [totp] }, proofs: [password, proof('totp')] }, `enrol ${all} | none | reset | mailbox first`],
    ['nor does an upstream provider', { user: { resetAt: daysAgo(1) }, proofs: [trustedUpstream] }, `enrol ${all} | none | reset | mailbox first`],
    ['an address that was never verified cannot be sent the code', { user: { resetAt: daysAgo(1), emailVerified: false } }, 'refuse no_verified_email'],
    ['a reset asks for the password first', { user: { resetAt: daysAgo(1) }, proofs: [] }, 'sign_in'],
    ['a reset asks before an unknown acr is refused', { user: { resetAt: daysAgo(1) }, request: { acrValues: ['gold'], essential: true } }, `enrol ${all} | none | reset | mailbox first`],
    ['only allowed methods are set up after a reset', { user: { resetAt: daysAgo(1) }, memberships: [member(policy({ methods: ['totp', 'email'] }))] }, 'enrol totp,email | none | reset | mailbox first'],
    ['and only those that the application takes', { user: { resetAt: daysAgo(1) }, application: { assurance: 'passkey' } }, 'enrol passkey | none | reset | mailbox first'],
    ['where there is none the sign-in stops', { user: { resetAt: daysAgo(1) }, available: [] }, 'refuse no_method_available'],
    ['and says so to the application that asked', { user: { resetAt: daysAgo(1) }, application: { assurance: 'passkey' }, available: ['totp'] }, 'refuse no_method_available unmet'],
    ['a reset at no valid time is one', { user: { resetAt: invalid }, proofs: [password, proof('mailbox')] }, `enrol ${all} | none | reset | mailbox first`],
  ],
};

for (const [part, rows] of Object.entries(table)) {
  for (const [sentence, changes, expected] of rows) {
    test(`${part}: ${sentence}`, (t) => t.is(told(decide(facts(changes))), expected));
  }
}

const requirements: readonly [string, (graceDays: number) => Policy][] = [
  ['optional', (graceDays) => policy({ graceDays })],
  ['recommended', (graceDays) => policy({ requirement: 'recommended', graceDays })],
  ['required for admins', (graceDays) => forAdmins(20, { graceDays })],
  [
    'required for admins, recommended to others',
    (graceDays) => forAdmins(20, { graceDays, others: 'recommended' }),
  ],
  ['required for all', (graceDays) => forAll(20, { graceDays })],
];

/** 20 days after it was required, of a member of long standing without a factor. */
const outcomes: Record<string, Record<Role, 'none' | 'recommended' | 'must'>> = {
  optional: { owner: 'none', admin: 'none', member: 'none' },
  recommended: { owner: 'recommended', admin: 'recommended', member: 'recommended' },
  'required for admins': { owner: 'must', admin: 'must', member: 'none' },
  'required for admins, recommended to others': { owner: 'must', admin: 'must', member: 'recommended' },
  'required for all': { owner: 'must', admin: 'must', member: 'must' },
};

for (const [name, rules] of requirements) {
  for (const role of ['owner', 'admin', 'member'] as const) {
    for (const graceDays of [0, 7, 30, 90]) {
      const outcome = outcomes[name]?.[role];
      const expected =
        outcome === 'none'
          ? 'allow not_required 1fa'
          : outcome === 'recommended'
            ? `enrol ${all} | dismiss | acme`
            : graceDays > 20
              ? `enrol ${all} | skip until ${until(inDays(graceDays - 20))} | acme`
              : `enrol ${all} | none | acme`;
      test(`${name}, ${graceDays} days of grace, ${role}: ${expected}`, (t) => {
        const decision = decide(facts({ memberships: [member(rules(graceDays), { role })] }));
        t.is(told(decision), expected);
      });
    }
  }
}
