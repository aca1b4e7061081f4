import type { Sentence } from './pages.ts';

/** Scopes in plain words; one that nobody has described is shown by its name. */
export const scopeSentences: Readonly<Record<string, Sentence>> = {
  openid: 'Know that it is you, and how you signed in',
  profile: 'Your name and language',
  email: 'Your e-mail address',
  phone: 'Your phone number',
  offline_access: 'Stay connected while you are away',
};
