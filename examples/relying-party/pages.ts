import type { Ask, SignIn } from './provider.ts';

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
  plain: 'your sign-in',
  'second-factor': 'a request for a second factor',
  fresh: 'a request for a fresh second factor',
  silent: 'a silent check',
  'offline-access': 'your sign-in',
  refresh: 'a refresh',
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

export function signedOut(issuer: string): string {
  return page(
    'Sign in to continue',
    html`<main class="narrow">
      ${brand(issuer)}
      <section class="card">
        <div>
          <h1>Sign in to continue</h1>
          <p class="muted">You sign in at ${hostOf(issuer)}. This application sees who you are and how you proved it, and never your password.</p>
        </div>
        ${button('/sign-in', 'Sign in', 'wide')}
      </section>
    </main>`,
  );
}

/** @param flights booked at the API; null where there is no API */
export function signedIn(signIn: SignIn, issuer: string, flights: number | null = null): string {
  const { userinfo } = signIn;
  const claims: Record<string, unknown> = { ...userinfo, ...signIn.claims };
  const name = String(claims.name ?? claims.email ?? claims.sub);
  return page(
    `Signed in as ${name}`,
    html`<div class="page">
      <header class="top">${brand(issuer)} ${button('/sign-out', 'Sign out', 'quiet')}</header>
      <main>
        ${assurance(signIn, name)}
        <div class="split">
          ${claimsTable(claims)}
          ${actions(signIn)}
        </div>
        ${flights === null ? null : booking(flights)}
        <section class="panel">
          <h2>What the provider sent</h2>
          ${json('ID token claims', 'id-token', signIn.claims)}
          ${userinfo && json('Userinfo', 'userinfo', userinfo)}
        </section>
      </main>
    </div>`,
  );
}

function booking(flights: number): Html {
  return html`<section class="panel">
    <h2>Flights</h2>
    <p class="muted">The API asks for a second factor that is at most five minutes old. Booked so far: <span id="flights">${flights}</span></p>
    ${button('/book', 'Book a flight', 'quiet')}
  </section>`;
}

function assurance(signIn: SignIn, name: string): Html {
  const { acr } = signIn.claims;
  const strength = strengthOf(acr);
  const known = assurances[strength];
  const missing = signIn.wantedSecondFactor && strength < secondFactor;
  return html`<section class="panel">
    <h1>Signed in as ${name}</h1>
    ${missing ? html`<p class="note" role="status">A second factor was asked for, but this sign-in did not use one. An application that needs it has to stop here.</p>` : null}
    ${known ? doors(known.second, strength >= secondFactor) : null}
    <p class="says">${known?.says ?? unknownAssurance(acr)}</p>
    <p class="muted">These claims came ${time(signIn.answeredAt)}, in answer to ${attempts[signIn.answers]}.</p>
  </section>`;
}

function unknownAssurance(acr: unknown): string {
  if (acr === undefined) return 'The provider did not say how you signed in.';
  return `The provider says how you signed in, but in a word that this application does not know: ${acr}.`;
}

function doors(second: string, open: boolean): Html {
  const frame = html`<path d="M2 17V8a6 6 0 0 1 12 0v9M1 17h14"/>`;
  const tick = html`<path d="m5 12 2.2 2.2L11.5 10"/>`;
  const door = (passed: boolean) =>
    html`<svg viewBox="0 0 16 18" fill="none" stroke="currentColor" stroke-width="1.6" aria-hidden="true">${frame}${passed ? tick : null}</svg>`;
  return html`<ol class="doors">
    <li class="done">${door(true)} First factor</li>
    <li class="${open ? 'done' : 'closed'}">${door(open)} Second factor (${second})</li>
  </ol>`;
}

function claimsTable(claims: Record<string, unknown>): Html {
  const rows = Object.entries(explained)
    .filter(([name]) => claims[name] !== undefined)
    .map(
      ([name, meaning]) => html`<tr>
        <th scope="row"><code>${name}</code><small>${meaning}</small></th>
        <td>${claim(name, claims[name])}</td>
      </tr>`,
    );
  return html`<section class="panel">
    <h2>What this application knows</h2>
    <table>
      <thead><tr><th scope="col">Claim</th><th scope="col">Value</th></tr></thead>
      <tbody>${rows}</tbody>
    </table>
  </section>`;
}

function claim(name: string, value: unknown): Html {
  if (name === 'auth_time' && typeof value === 'number') return time(new Date(value * 1000));
  if (name === 'amr' && Array.isArray(value)) {
    const words = value.map((method) => methods[String(method)] ?? String(method));
    return html`<code>${value.join(' ')}</code>${words.length > 0 ? html`<small>${words.join(', ')}</small>` : null}`;
  }
  if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    return html`${value.join(', ')}`;
  return html`${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

function actions({ refreshToken }: SignIn): Html {
  const action = (path: string, label: string, explanation: Html, look = 'quiet') =>
    html`<li>${button(path, label, `wide ${look}`)}<small>${explanation}</small></li>`;
  return html`<section class="panel">
    <h2>Ask the provider again</h2>
    <ul class="actions">
      ${action('/sign-in', 'Sign in', html`A plain request: silent while the session at the provider is good enough.`)}
      ${action('/sign-in/second-factor', 'Ask for a second factor', html`<code>acr_values=urn:sallyport:acr:2fa</code>: asks unless one was used in this session.`, '')}
      ${action('/sign-in/fresh', 'Ask for a fresh one', html`The same with <code>max_age=0</code>: asks every time, for something that matters.`)}
      ${action('/sign-in/silent', 'Check silently', html`<code>prompt=none</code>: answers without showing anything, or says why it cannot.`)}
      ${
        refreshToken
          ? action('/refresh', 'Refresh', html`New claims by the refresh token; the browser is not involved.`)
          : action(
              '/sign-in/offline-access',
              'Allow refreshing',
              html`There is no refresh token yet. Asks for your consent with <code>prompt=consent</code>.`,
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

export function refused(code: string, description: string | undefined, ask: Ask): string {
  const { title, says } = refusals[code] ?? {
    title: 'You could not be signed in',
    says: 'The provider could not do what this application asked for. You can try again.',
  };
  // Silence was the reason; trying again must not be silent too.
  const again = ask === 'silent' || ask === 'plain' ? '/sign-in' : `/sign-in/${ask}`;
  const details = html`<details>
    <summary>For developers</summary>
    <p><code>${code}</code>${description ? html`: ${description}` : null}</p>
  </details>`;
  return message(title, says, button(again, 'Try again', 'wide'), details);
}

export const unexpectedAnswer = (home: string): string =>
  message(
    'This sign-in was not started here',
    `The answer does not belong to a request of this browser, or it was used already. Start again from ${home}`,
    button('/sign-in', 'Try again', 'wide'),
  );

export const notRenewed = (): string =>
  message(
    'Please sign in again',
    'The provider no longer renews your sign-in, so you have been signed out here.',
    button('/sign-in', 'Sign in', 'wide'),
  );

export const foreign = (home: string): string =>
  message(
    'That did not come from this application',
    `Nothing has been done. Open ${home} and press the button there.`,
    null,
  );

export const providerAway = (issuer: string): string =>
  message(
    'The sign-in service does not answer',
    `${hostOf(issuer)} cannot be reached at the moment. Try again in a few seconds.`,
    button('/sign-in', 'Try again', 'wide'),
  );

export const failed = (): string =>
  message(
    'Something went wrong',
    'What the provider sent could not be used. It has been logged; you can try again.',
    button('/sign-in', 'Try again', 'wide'),
  );

export const notFound = (): string => message('There is no such page', 'The address may be mistyped.', null);

function message(title: string, says: string, action: Html | null, details: Html | null = null): string {
  return page(
    title,
    html`<main class="narrow">
      ${brand(null)}
      <section class="card">
        <div><h1>${title}</h1><p class="muted">${says}</p></div>
        ${action}
        <p><a href="/">Back to the application</a></p>
        ${details}
      </section>
    </main>`,
  );
}

function page(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} · Demo application</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/style.css">
</head>
<body>${body}</body>
</html>`.text;
}

function brand(issuer: string | null): Html {
  const signsInAt = issuer ? html`<small>signs people in at ${hostOf(issuer)}</small>` : null;
  return html`<div class="brand"><span class="logo" aria-hidden="true">D</span><span><b>Demo application</b>${signsInAt}</span></div>`;
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

/** The server's own time zone, named: without a script, the browser's is not known. */
function time(date: Date): Html {
  const words = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' }).format(date);
  return html`<time datetime="${date.toISOString()}">${words}</time>`;
}

const hostOf = (address: string): string => new URL(address).host;
