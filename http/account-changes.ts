import type { AccountChange } from '../flows/security-mail.ts';

/** What a mail says of a change: the subject, and one sentence. `{what}` is the thing that was changed. */
export const accountChanges: Readonly<
  Record<AccountChange, { readonly subject: string; readonly text: string }>
> = {
  factor_removed: {
    subject: 'A way to sign in was removed',
    text: '"{what}" was removed from your account at {organization}. Sign-ins do not ask for it any more.',
  },
  passkey_copied: {
    subject: 'One of your passkeys may have been copied',
    text: 'A passkey of your account at {organization} answered in a way that only a copy would. Nobody was let in. If you did not restore it from a backup, remove it.',
  },
  upstream_linked: {
    subject: 'Another way to sign in was connected',
    text: 'Your account at {organization} is now connected to your account at {what}. Signing in there signs you in here.',
  },
  upstream_unlinked: {
    subject: 'A way to sign in was disconnected',
    text: 'Your account at {organization} is no longer connected to {what}. Signing in there does not sign you in here any more.',
  },
  factors_off: {
    subject: 'Two-factor authentication was turned off',
    text: 'Two-factor authentication was turned off for your account at {organization}. From now on the password alone is enough.',
  },
  recovery_codes_made: {
    subject: 'New recovery codes were made',
    text: 'New recovery codes were made for your account at {organization}. The old ones do not work any more.',
  },
  recovery_codes_shown: {
    subject: 'Your recovery codes were shown',
    text: 'The recovery codes of your account at {organization} were shown on a page of your account.',
  },
  password_changed: {
    subject: 'Your password was changed',
    text: 'The password of your account at {organization} was changed. Everywhere else you are signed out.',
  },
  password_set: {
    subject: 'A password was set',
    text: 'Your account at {organization} has a password now: with it and your e-mail address one can sign in. Everywhere else you are signed out.',
  },
  password_reset: {
    subject: 'Your password was reset',
    text: 'A new password was set for your account at {organization} through a link in a mail. You are signed out everywhere.',
  },
  email_changed: {
    subject: 'Your e-mail address was changed',
    text: 'The e-mail address of your account at {organization} is now {what}. Mail goes there from now on.',
  },
  phone_added: {
    subject: 'A phone number was added',
    text: 'Your account at {organization} now has the phone number {what}.',
  },
  phone_changed: {
    subject: 'Your phone number was changed',
    text: 'The phone number of your account at {organization} is now {what}. Codes that went to the old number go there from now on.',
  },
  phone_removed: {
    subject: 'Your phone number was removed',
    text: 'Your account at {organization} has no phone number any more.',
  },
  new_browser: {
    subject: 'A sign-in in another browser',
    text: 'Somebody signed in to your account at {organization} with the password alone, in a browser that was not used for it before.',
  },
  help_asked: {
    subject: 'Somebody asked for help to sign in as you',
    text: 'Somebody gave your password and asked the owners and admins of {organization} for help, because the second step is lost. Nothing about your account has changed.',
  },
  sessions_ended: {
    subject: 'You were signed out everywhere',
    text: 'All sessions of your account at {organization} were ended.',
  },
};
