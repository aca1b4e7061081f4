import { asciiAddress } from '../lib/email-address.ts';
import { updateRow } from './configuration.ts';
import type { Database, Statement } from './database.ts';
import { nameKeys, refreshDirectory } from './member-directory.ts';

export interface UserRow {
  id: string;
  email: string;
  email_verified: number;
  name: string | null;
  phone: string | null;
  phone_verified: number;
  /** The language that the person has chosen. */
  locale: string | null;
  /** Of the pages of the last sign-in. */
  last_language: string | null;
  password_hash: string | null;
  home_organization_id: string | null;
  /** Grows with every change of a credential or factor; what was remembered under an older one is forgotten. */
  security_version: number;
  preferred_factor_id: string | null;
  had_factor_at: number | null;
  reset_at: number | null;
  postponed_until: number | null;
  disabled_at: number | null;
  /** Sessions, codes and tokens from before this moment are dead. */
  sessions_valid_after: number;
  /** No remembered device stands in for a factor until one was used after this moment. */
  fresh_factor_since: number | null;
  last_sign_in_at: number | null;
  last_sign_in_acr: string | null;
  last_sign_in_client_id: string | null;
  created_at: number;
  updated_at: number;
}

/**
 * The one spelling under which an address is stored and looked up, an international domain as A-labels: both of its forms are one address.
 */
export function canonicalEmail(typed: string): string {
  const plain = typed.trim().normalize('NFC').toLowerCase();
  return asciiAddress(plain) ?? plain;
}

export const userByEmail = (db: Database, email: string) =>
  db.row<UserRow>('SELECT * FROM users WHERE email = ?', [canonicalEmail(email)]);

export const userById = (db: Database, id: string) =>
  db.row<UserRow>('SELECT * FROM users WHERE id = ?', [id]);

/** Every column; a new one that is missing here does not compile. */
export const userColumns: Readonly<Record<keyof UserRow, true>> = {
  id: true,
  email: true,
  email_verified: true,
  name: true,
  phone: true,
  phone_verified: true,
  locale: true,
  last_language: true,
  password_hash: true,
  home_organization_id: true,
  security_version: true,
  preferred_factor_id: true,
  had_factor_at: true,
  reset_at: true,
  postponed_until: true,
  disabled_at: true,
  sessions_valid_after: true,
  fresh_factor_since: true,
  last_sign_in_at: true,
  last_sign_in_acr: true,
  last_sign_in_client_id: true,
  created_at: true,
  updated_at: true,
};

/** What applications may be told of somebody. */
export type ClaimsRow = Pick<
  UserRow,
  'id' | 'name' | 'locale' | 'updated_at' | 'email' | 'email_verified' | 'phone' | 'phone_verified'
>;

export const claimsColumns: Readonly<Record<keyof ClaimsRow, true>> = {
  id: true,
  name: true,
  locale: true,
  updated_at: true,
  email: true,
  email_verified: true,
  phone: true,
  phone_verified: true,
};

export const replacePasswordHash = (db: Database, userId: string, before: string, hash: string) =>
  db.change('UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?', [hash, userId, before]);

/** In a batch: undoes it where the password that was compared, or anything else of the person's security, was changed meanwhile. */
export const sameSecurity = (userId: string, version: number): Statement => ({
  sql: 'UPDATE users SET security_version = security_version WHERE id = ? AND security_version = ? AND disabled_at IS NULL',
  values: [userId, version],
  rows: 1,
});

/** Null: no password opens this account until a new one is set. */
export const setPasswordHash = (userId: string, hash: string | null): Statement => ({
  sql: 'UPDATE users SET password_hash = ? WHERE id = ?',
  values: [hash, userId],
  rows: 1,
});

/** A person who has just chosen a password; somebody else with their address undoes the batch. */
export const addUser = (
  db: Database,
  user: {
    id: string;
    email: string;
    emailVerified: boolean;
    name: string | null;
    locale: string | null;
    passwordHash: string | null;
    homeOrganizationId: string | null;
    now: Date;
  },
): Statement => ({
  ...db.insert('users', {
    id: user.id,
    email: user.email,
    email_verified: user.emailVerified ? 1 : 0,
    name: user.name,
    ...nameKeys(user.name),
    phone: null,
    phone_verified: 0,
    locale: user.locale,
    password_hash: user.passwordHash,
    home_organization_id: user.homeOrganizationId,
    security_version: 1,
    // Nothing of theirs can be older; the sign-in that makes them may be.
    sessions_valid_after: 0,
    created_at: user.now.getTime(),
    updated_at: user.now.getTime(),
  }),
  rows: 1,
});

export const changeProfile = (
  userId: string,
  profile: { readonly name: string | null; readonly locale: string | null },
  now: Date,
): Statement => ({
  ...updateRow('users', { id: userId }, { ...profile, ...nameKeys(profile.name), updated_at: now.getTime() }),
  followedBy: [refreshDirectory([userId])],
});

/** Throws where somebody else has this address. */
export const changeEmail = (userId: string, before: string, email: string, now: Date): Statement => ({
  sql: 'UPDATE users SET email = ?, email_verified = 1, updated_at = ? WHERE id = ? AND email = ?',
  values: [email, now.getTime(), userId, before],
  rows: 1,
  followedBy: [refreshDirectory([userId])],
});

/** A code has proved it. */
export const changePhone = (userId: string, phone: string, now: Date): Statement => ({
  sql: 'UPDATE users SET phone = ?, phone_verified = 1, updated_at = ? WHERE id = ?',
  values: [phone, now.getTime(), userId],
  rows: 1,
});

export const removePhone = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE users SET phone = NULL, phone_verified = 0, updated_at = ? WHERE id = ? AND phone IS NOT NULL',
  values: [now.getTime(), userId],
  rows: 1,
});

/** What "this was not me" puts back. */
export const restorePhone = (
  userId: string,
  { number, verified }: { readonly number: string | null; readonly verified: boolean },
): Statement => ({
  sql: 'UPDATE users SET phone = ?, phone_verified = ? WHERE id = ?',
  values: [number, number !== null && verified ? 1 : 0, userId],
});

export const proveEmail = (userId: string): Statement => ({
  sql: 'UPDATE users SET email_verified = 1 WHERE id = ?',
  values: [userId],
});

/** The address of before, which its owner has just read mail at. */
export const restoreEmail = (userId: string, email: string): Statement => ({
  sql: 'UPDATE users SET email = ?, email_verified = 1 WHERE id = ?',
  values: [email, userId],
  followedBy: [refreshDirectory([userId])],
});

export const postponeSetup = (userId: string, until: Date): Statement => ({
  sql: 'UPDATE users SET postponed_until = ? WHERE id = ?',
  values: [until.getTime(), userId],
});

/** @param isFirst members who have never signed in are listed as such */
export const noteSignIn = (
  userId: string,
  signIn: {
    readonly acr: string;
    readonly clientId: string;
    readonly language: string | null;
    readonly isFirst: boolean;
  },
  now: Date,
): Statement => ({
  sql: `UPDATE users SET last_sign_in_at = ?, last_sign_in_acr = ?, last_sign_in_client_id = ?,
          last_language = COALESCE(?, last_language) WHERE id = ?`,
  values: [now.getTime(), signIn.acr, signIn.clientId, signIn.language, userId],
  followedBy: signIn.isFirst ? [refreshDirectory([userId])] : [],
});

/** In which language a person is written to: as they chose, else as they last signed in. */
export const languageFor = (user: Pick<UserRow, 'locale' | 'last_language'>): string | null =>
  user.locale ?? user.last_language;

/** Every browser that was remembered for this user is forgotten. */
export const securityChanged = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE users SET security_version = security_version + 1, updated_at = ? WHERE id = ?',
  values: [now.getTime(), userId],
  followedBy: [refreshDirectory([userId])],
});

/** The same, where nobody else has changed anything since it was read: of two changes at once, one is late and changes nothing. */
export const securityChangedSince = (userId: string, version: number, now: Date): Statement => ({
  sql: 'UPDATE users SET security_version = security_version + 1, updated_at = ? WHERE id = ? AND security_version = ?',
  values: [now.getTime(), userId, version],
  rows: 1,
  followedBy: [refreshDirectory([userId])],
});

export const preferFactor = (userId: string, factorId: string | null): Statement => ({
  sql: 'UPDATE users SET preferred_factor_id = ? WHERE id = ?',
  values: [factorId, userId],
  rows: 1,
});

/**
 * A set-up was confirmed: the first one ends all grace for ever, and answers an admin's reset. What let it be set up must stand still:
 * whoever was let in before the person had a factor, a new password or a reset is late.
 */
export const factorConfirmed = (userId: string, version: number, now: Date): Statement => ({
  sql: `UPDATE users SET security_version = security_version + 1, had_factor_at = COALESCE(had_factor_at, ?), reset_at = NULL,
          updated_at = ? WHERE id = ? AND security_version = ?`,
  values: [now.getTime(), now.getTime(), userId, version],
  rows: 1,
  followedBy: [refreshDirectory([userId])],
});

/** A code came back from this number: it is the person's own where the profile has none, and verified where it has this one. */
export const phoneProved = (userId: string, phone: string): Statement => ({
  sql: 'UPDATE users SET phone = ?, phone_verified = 1 WHERE id = ? AND (phone IS NULL OR phone = ?)',
  values: [phone, userId, phone],
});

/** Sessions, codes, tokens and sign-ins of this user that began before now are dead. */
export const disconnectUser = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE users SET sessions_valid_after = ?, updated_at = ? WHERE id = ?',
  values: [now.getTime(), now.getTime(), userId],
});

/** The next sign-in needs a factor, also on a remembered device. */
export const requireFreshFactor = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE users SET fresh_factor_since = ? WHERE id = ?',
  values: [now.getTime(), userId],
});

/** A factor was used at this moment: what asked for a fresh one before is content. */
export const freshFactorUsed = (userId: string, at: Date): Statement => ({
  sql: 'UPDATE users SET fresh_factor_since = NULL WHERE id = ? AND fresh_factor_since <= ?',
  values: [userId, at.getTime()],
});
