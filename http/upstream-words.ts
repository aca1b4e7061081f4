import type { UpstreamRefusal } from '../flows/return-from-upstream.ts';
import type { Sentence } from './pages.ts';

const sentences: Readonly<Record<UpstreamRefusal, string>> = {
  away: '{name} cannot be reached at the moment. Try again in a minute, or use another way.',
  declined: 'The sign-in at {name} was not finished. Try again, or use another way.',
  not_trusted:
    '{name} gave an answer that cannot be trusted, so nobody was signed in. Use another way, and tell your administrator.',
  too_old:
    '{name} did not say that you signed in there just now, and that is asked for here. Sign out there and try again, or use another way.',
  ended: 'This answer of the other provider was used already, or is too old. Sign in again.',
  too_many:
    'There were too many tries by {name} that led nowhere. Wait a minute and try again, or use another way.',
  no_second_factor:
    '{name} did not say that you used a second factor there, and that is asked for here. Set one up there and try again.',
  no_address:
    '{name} did not confirm an e-mail address of yours. Confirm it there and try again, or use another way.',
  no_account: 'Your account at {name} opens none here. Ask your administrator, or use another way.',
};

/** Why nobody came in by another provider, in a sentence. */
export const upstreamRefusal = (why: UpstreamRefusal, name: string | null): Sentence =>
  name === null ? sentences.ended : { sentence: sentences[why], values: { name } };
