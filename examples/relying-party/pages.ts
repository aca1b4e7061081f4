import type { Ask, SignIn } from './provider.ts';
import type { Words } from './words.ts';

/** HTML that is safe to send. Everything else is escaped on its way in. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | Part[] | string | number | null;

function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(String.raw({ raw: strings }, ...parts.map(render)));
}

function render(part: Part): string {
  if (part === null) return '';
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(render).join('');
  return String(part).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** What a sign-in proved: the weakest first, and in words that anybody understands. */
const assurances = [
  {
    acr: 'urn:sallyport:acr:1fa',
    second: 'not used',
    says: 'You signed in with your first factor only, usually a password. No second factor was used.',
  },
  {
    acr: 'urn:sallyport:acr:remembered',
    second: 'not asked: remembered browser',
    says: 'You signed in with your first factor only. The second was not asked for, because you are using a remembered browser.',
  },
  {
    acr: 'urn:sallyport:acr:2sv',
    second: 'code by email',
    says: 'You signed in in two steps, the second with a code sent by email. That is better than a password alone, but an email code does not count as a second factor.',
  },
  {
    acr: 'urn:sallyport:acr:2fa',
    second: 'used',
    says: 'You signed in with two factors: something you know, and something you have.',
  },
  {
    acr: 'phr',
    second: 'passkey',
    says: 'You signed in with a passkey. It works only on the real site, so nobody can phish it from you: this is the strongest way to sign in.',
  },
];

const strengthOf = (acr: unknown): number => assurances.findIndex((assurance) => assurance.acr === acr);
const secondFactor = strengthOf('urn:sallyport:acr:2fa');

/** RFC 8176. */
const methods: Record<string, string> = {
  pwd: 'password',
  otp: 'one-time code',
  sms: 'text message',
  hwk: 'key in hardware',
  swk: 'key in software',
  user: 'person verified by the device',
  mfa: 'more than one factor',
};

const attempts: Record<SignIn['answers'], string> = {
  plain: 'These claims came in answer to your sign-in:',
  'second-factor': 'These claims came in answer to a request for a second factor:',
  fresh: 'These claims came in answer to a request for a fresh second factor:',
  silent: 'These claims came in answer to a silent check:',
  'offline-access': 'These claims came in answer to your sign-in:',
  refresh: 'These claims came in answer to a refresh:',
};

/** The claims that the table explains, in its order. */
const explained: Record<string, string> = {
  acr: 'how strong the sign-in was',
  amr: 'which methods were used',
  auth_time: 'when the person last signed in',
  sub: 'who, for programs: it never changes',
  name: 'who, for people',
  email: 'their email address',
  sid: 'the session at the provider',
  organizations: 'the organizations they belong to',
};

export function signedOut(words: Words, issuer: string): string {
  const { say } = words;
  return page(
    words,
    say('Sign in to continue'),
    html`<main class="narrow">
      ${brand(words, issuer)}
      <section class="card">
        <div>
          <h1>${say('Sign in to continue')}</h1>
          <p class="muted">${say('You sign in at {host}. This application sees who you are and how you proved it, and never your password.', { host: hostOf(issuer) })}</p>
        </div>
        ${button('/sign-in', say('Sign in'), 'wide')}
      </section>
    </main>`,
  );
}

/** @param flights booked at the API; null where there is no API */
export function signedIn(
  words: Words,
  signIn: SignIn,
  issuer: string,
  flights: number | null = null,
): string {
  const { say } = words;
  const { userinfo } = signIn;
  const claims: Record<string, unknown> = { ...userinfo, ...signIn.claims };
  const name = String(claims.name ?? claims.email ?? claims.sub);
  return page(
    words,
    say('Signed in as {name}', { name }),
    html`<div class="page">
      <header class="top">${brand(words, issuer)} ${button('/sign-out', say('Sign out'), 'quiet')}</header>
      <main>
        ${assurance(words, signIn, name)}
        <div class="split">
          ${claimsTable(words, claims)}
          ${actions(words, signIn)}
        </div>
        ${flights === null ? null : booking(words, flights)}
        <section class="panel">
          <h2>${say('What the provider sent')}</h2>
          ${json(say('ID token claims'), 'id-token', signIn.claims)}
          ${userinfo && json(say('Userinfo'), 'userinfo', userinfo)}
        </section>
      </main>
    </div>`,
  );
}

function booking({ say }: Words, flights: number): Html {
  return html`<section class="panel">
    <h2>${say('Flights')}</h2>
    <p class="muted">${say('The API asks for a second factor that is at most five minutes old. Booked so far:')} <span id="flights">${flights}</span></p>
    ${button('/book', say('Book a flight'), 'quiet')}
  </section>`;
}

function assurance(words: Words, signIn: SignIn, name: string): Html {
  const { say } = words;
  const { acr } = signIn.claims;
  const strength = strengthOf(acr);
  const known = assurances[strength];
  const missing = signIn.wantedSecondFactor && strength < secondFactor;
  return html`<section class="panel">
    <h1>${say('Signed in as {name}', { name })}</h1>
    ${missing ? html`<p class="note" role="status">${say('A second factor was asked for, but this sign-in did not use one. An application that needs it has to stop here.')}</p>` : null}
    ${known ? doors(words, known.second, strength >= secondFactor) : null}
    <p class="says">${known ? say(known.says) : unknownAssurance(words, acr)}</p>
    <p class="muted">${say(attempts[signIn.answers])} ${time(words, signIn.answeredAt)}</p>
  </section>`;
}

function unknownAssurance({ say }: Words, acr: unknown): string {
  if (acr === undefined) return say('The provider did not say how you signed in.');
  return say(
    'The provider says how you signed in, but in a word that this application does not know: {acr}.',
    { acr: String(acr) },
  );
}

function doors({ say }: Words, second: string, open: boolean): Html {
  const frame = html`<path d="M2 17V8a6 6 0 0 1 12 0v9M1 17h14"/>`;
  const tick = html`<path d="m5 12 2.2 2.2L11.5 10"/>`;
  const door = (passed: boolean) =>
    html`<svg viewBox="0 0 16 18" fill="none" stroke="currentColor" stroke-width="1.6" aria-hidden="true">${frame}${passed ? tick : null}</svg>`;
  return html`<ol class="doors">
    <li class="done">${door(true)} ${say('First factor')}</li>
    <li class="${open ? 'done' : 'closed'}">${door(open)} ${say('Second factor')} (${say(second)})</li>
  </ol>`;
}

function claimsTable(words: Words, claims: Record<string, unknown>): Html {
  const { say } = words;
  const rows = Object.entries(explained)
    .filter(([name]) => claims[name] !== undefined)
    .map(
      ([name, meaning]) => html`<tr>
        <th scope="row"><code>${name}</code><small>${say(meaning)}</small></th>
        <td>${claim(words, name, claims[name])}</td>
      </tr>`,
    );
  return html`<section class="panel">
    <h2>${say('What this application knows')}</h2>
    <table>
      <thead><tr><th scope="col">${say('Claim')}</th><th scope="col">${say('Value')}</th></tr></thead>
      <tbody>${rows}</tbody>
    </table>
  </section>`;
}

function claim(words: Words, name: string, value: unknown): Html {
  if (name === 'auth_time' && typeof value === 'number') return time(words, new Date(value * 1000));
  if (name === 'amr' && Array.isArray(value)) {
    const meant = value.map((method) => words.say(methods[String(method)] ?? String(method)));
    return html`<code>${value.join(' ')}</code>${meant.length > 0 ? html`<small>${meant.join(', ')}</small>` : null}`;
  }
  if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    return html`${value.join(', ')}`;
  return html`${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

function actions({ say }: Words, { refreshToken }: SignIn): Html {
  const action = (path: string, label: string, sent: string | null, explanation: string, look = 'quiet') =>
    html`<li>${button(path, say(label), `wide ${look}`)}<small>${sent && html`<code>${sent}</code>: `}${say(explanation)}</small></li>`;
  return html`<section class="panel">
    <h2>${say('Ask the provider again')}</h2>
    <ul class="actions">
      ${action('/sign-in', 'Sign in', null, 'A plain request: silent while the session at the provider is good enough.')}
      ${action('/sign-in/second-factor', 'Ask for a second factor', 'acr_values=urn:sallyport:acr:2fa', 'asks unless one was used in this session.', '')}
      ${action('/sign-in/fresh', 'Ask for a fresh one', 'acr_values=urn:sallyport:acr:2fa max_age=0', 'asks every time, for something that matters.')}
      ${action('/sign-in/silent', 'Check silently', 'prompt=none', 'answers without showing anything, or says why it cannot.')}
      ${
        refreshToken
          ? action(
              '/refresh',
              'Refresh',
              null,
              'New claims by the refresh token; the browser is not involved.',
            )
          : action(
              '/sign-in/offline-access',
              'Allow refreshing',
              'prompt=consent',
              'asks for your consent, because there is no refresh token yet.',
            )
      }
    </ul>
  </section>`;
}

/** What the provider may answer instead of a sign-in, in words for the person who waits for it. */
const refusals: Record<string, { title: string; says: string }> = {
  access_denied: {
    title: 'You did not sign in',
    says: 'The sign-in was cancelled, or it is not allowed. Nothing has changed here.',
  },
  login_required: {
    title: 'You would have to sign in',
    says: 'You are no longer signed in at the provider, and a silent check cannot show a page to sign in.',
  },
  interaction_required: {
    title: 'The provider has to ask you something',
    says: 'It would show a page first, for example to ask for a second factor. A silent check cannot do that.',
  },
  consent_required: {
    title: 'The provider has to ask you something',
    says: 'It needs your consent first, and a silent check cannot ask for it.',
  },
  unmet_authentication_requirements: {
    title: 'That sign-in was not strong enough',
    says: 'This application asked for more proof than the sign-in gave. Try again with a second factor, or set one up at the provider.',
  },
};

export function refused(words: Words, code: string, description: string | undefined, ask: Ask): string {
  const { say } = words;
  const { title, says } = refusals[code] ?? {
    title: 'You could not be signed in',
    says: 'The provider could not do what this application asked for. You can try again.',
  };
  // Silence was the reason; trying again must not be silent too.
  const again = ask === 'silent' || ask === 'plain' ? '/sign-in' : `/sign-in/${ask}`;
  const details = html`<details>
    <summary>${say('For developers')}</summary>
    <p><code>${code}</code>${description ? html`: ${description}` : null}</p>
  </details>`;
  return message(words, say(title), say(says), button(again, say('Try again'), 'wide'), details);
}

export const unexpectedAnswer = (words: Words, home: string): string =>
  message(
    words,
    words.say('This sign-in was not started here'),
    words.say(
      'The answer does not belong to a request of this browser, or it was used already. Start again from {home}',
      { home },
    ),
    button('/sign-in', words.say('Try again'), 'wide'),
  );

export const notRenewed = (words: Words): string =>
  message(
    words,
    words.say('Please sign in again'),
    words.say('The provider no longer renews your sign-in, so you have been signed out here.'),
    button('/sign-in', words.say('Sign in'), 'wide'),
  );

export const foreign = (words: Words, home: string): string =>
  message(
    words,
    words.say('That did not come from this application'),
    words.say('Nothing has been done. Open {home} and press the button there.', { home }),
    null,
  );

export const providerAway = (words: Words, issuer: string): string =>
  message(
    words,
    words.say('The sign-in service does not answer'),
    words.say('{host} cannot be reached at the moment. Try again in a few seconds.', {
      host: hostOf(issuer),
    }),
    button('/sign-in', words.say('Try again'), 'wide'),
  );

export const failed = (words: Words): string =>
  message(
    words,
    words.say('Something went wrong'),
    words.say('What the provider sent could not be used. It has been logged; you can try again.'),
    button('/sign-in', words.say('Try again'), 'wide'),
  );

export const notFound = (words: Words): string =>
  message(words, words.say('There is no such page'), words.say('The address may be mistyped.'), null);

function message(
  words: Words,
  title: string,
  says: string,
  action: Html | null,
  details: Html | null = null,
): string {
  return page(
    words,
    title,
    html`<main class="narrow">
      ${brand(words, null)}
      <section class="card">
        <div><h1>${title}</h1><p class="muted">${says}</p></div>
        ${action}
        <p><a href="/">${words.say('Back to the application')}</a></p>
        ${details}
      </section>
    </main>`,
  );
}

function page({ language, say }: Words, title: string, body: Html): string {
  return html`<!doctype html>
<html lang="${language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} · ${say('Demo application')}</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/style.css">
</head>
<body>${body}</body>
</html>`.text;
}

function brand({ say }: Words, issuer: string | null): Html {
  const signsInAt = issuer
    ? html`<small>${say('signs people in at {host}', { host: hostOf(issuer) })}</small>`
    : null;
  return html`<div class="brand"><span class="logo" aria-hidden="true">D</span><span><b>${say('Demo application')}</b>${signsInAt}</span></div>`;
}

function button(path: string, label: string, look: string): Html {
  return html`<form method="post" action="${path}"><button class="button ${look}">${label}</button></form>`;
}

function json(title: string, id: string, value: unknown): Html {
  return html`<details>
    <summary>${title}</summary>
    <pre id="${id}">${JSON.stringify(value, null, 2)}</pre>
  </details>`;
}

/** The time zone of the server, named: without a script, that of the browser is not known. */
function time({ language }: Words, date: Date): Html {
  const locale = language === 'en' ? 'en-GB' : language;
  const text = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'long' }).format(date);
  return html`<time datetime="${date.toISOString()}">${text}</time>`;
}

const hostOf = (address: string): string => new URL(address).host;
