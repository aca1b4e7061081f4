/*
 * What a page gains where scripts run. Everything works without: forms are plain forms, count-downs show the time at
 * which the page was made, and the buttons that only a script can serve are hidden by the stylesheet.
 */

const announce = (text) => {
  const status = document.querySelector('[data-announce]');
  if (status) status.textContent = text;
};

/** A form is sent once; its button says that something happens. */
function sendOnce(form) {
  const release = () => {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll('[aria-busy]')) button.removeAttribute('aria-busy');
  };
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = 'yes';
    event.submitter?.setAttribute('aria-busy', 'true');
    setTimeout(release, 15_000);
  });
  addEventListener('pageshow', (event) => event.persisted && release());
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

/** "Possible in 0:27." counts down by the time of day, so that a sleeping computer does not slow it. */
function countDown(place) {
  const end = Date.now() + Number(place.dataset.countdown) * 1000;
  const waiting = [...(place.closest('form')?.querySelectorAll('[data-wait]') ?? [])];
  for (const button of waiting) button.disabled = true;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left > 0) {
      place.textContent = place.dataset.template.replace('{time}', clock(left));
      return;
    }
    clearInterval(timer);
    place.textContent = place.dataset.done;
    announce(place.dataset.done);
    for (const button of waiting) button.disabled = false;
  };
  const timer = setInterval(tick, 1000);
  tick();
}

const textOf = (selector) =>
  [...document.querySelectorAll(selector)].map((element) => element.textContent.trim()).join('\n');

/** Copies, or selects where copying is not allowed. */
async function copy(button) {
  try {
    await navigator.clipboard.writeText(textOf(button.dataset.copy));
    announce(button.dataset.copied);
    const label = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => {
      button.textContent = label;
      announce('');
    }, 2500);
  } catch {
    const found = [...document.querySelectorAll(button.dataset.copy)];
    const range = document.createRange();
    range.setStartBefore(found[0]);
    range.setEndAfter(found.at(-1));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
}

function download(event) {
  event.preventDefault();
  const link = document.createElement('a');
  link.href = URL.createObjectURL(
    new Blob([`${textOf('[data-recovery-codes] li')}\n`], { type: 'text/plain' }),
  );
  link.download = 'recovery-codes.txt';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const place of document.querySelectorAll('[data-countdown]')) countDown(place);
for (const button of document.querySelectorAll('[data-copy]'))
  button.addEventListener('click', () => copy(button));
for (const button of document.querySelectorAll('[data-print]'))
  button.addEventListener('click', () => print());

/* A code that was wrong is selected, so that typing replaces it. */
document.querySelector('input.code[aria-invalid="true"], input.recovery[aria-invalid="true"]')?.select();

/* Passkeys. Browsers speak in bytes, forms in text: base64url between them. */

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (character) => character.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');

function withBytes(options) {
  const named = (list = []) => list.map((item) => ({ ...item, id: bytes(item.id) }));
  return {
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: named(options.excludeCredentials) }),
    ...(options.allowCredentials && { allowCredentials: named(options.allowCredentials) }),
  };
}

function withText(credential) {
  const { response } = credential;
  const field = (name) => (response[name] ? { [name]: text(response[name]) } : {});
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: {
      ...field('clientDataJSON'),
      ...field('attestationObject'),
      ...field('authenticatorData'),
      ...field('signature'),
      ...field('userHandle'),
      ...(response.getTransports && { transports: response.getTransports() }),
    },
  });
}

const canPasskey = Boolean(globalThis.PublicKeyCredential && navigator.credentials);
let waiting = null;

/** Asks the browser; only one question can be open at a time, so the one before ends silently. */
async function ask(ceremony, options, mediation) {
  waiting?.abort();
  waiting = new AbortController();
  const request = { publicKey: withBytes(options), signal: waiting.signal, ...(mediation && { mediation }) };
  return ceremony === 'create' ? navigator.credentials.create(request) : navigator.credentials.get(request);
}

/** What went wrong, in the form's own alert. */
function tell(form, message) {
  const place = form.querySelector('[data-credential-problem]');
  place.querySelector('span').textContent = message;
  place.hidden = message === '';
}

/** The form's button asks the browser, and what comes of it is what is sent. */
function askBeforeSending(form, answer) {
  const { credential } = form.elements;
  const button = form.querySelector('.button');
  form.addEventListener(
    'submit',
    async (event) => {
      if (credential.value) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (button.ariaBusy) return;
      button.ariaBusy = 'true';
      tell(form, '');
      try {
        credential.value = withText(await answer());
        form.requestSubmit(button);
      } catch {
        button.ariaBusy = null;
        tell(form, credential.dataset.failed);
      }
    },
    { capture: true },
  );
  // Whoever comes back to the page is asked anew.
  addEventListener('pageshow', (event) => {
    if (event.persisted) credential.value = '';
  });
}

/** A challenge or set-up. */
function passkeyStep(form) {
  const { dataset } = form.elements.credential;
  askBeforeSending(form, () => ask(dataset.credential, JSON.parse(dataset.options)));
  if (canPasskey) return;
  tell(form, dataset.unable);
  for (const useless of form.querySelectorAll('.button, .check, .asks')) useless.hidden = true;
}

/** A passkey as the whole sign-in: by its button, and offered by the browser in the e-mail field. */
async function passkeySignIn(form) {
  if (!canPasskey) return form.remove();
  const question = async () => {
    const body = new URLSearchParams({ _csrf: form.elements._csrf.value });
    const response = await fetch(form.dataset.passkey, { method: 'POST', body });
    if (!response.ok) throw new Error('no question');
    return JSON.parse((await response.json()).options);
  };
  let renewal;
  const offer = async () => {
    clearTimeout(renewal);
    try {
      const options = await question();
      renewal = setTimeout(offer, options.timeout * 0.8);
      form.elements.credential.value = withText(await ask('get', options, 'conditional'));
      form.requestSubmit();
    } catch {
      /* Nobody chose one: the page is as it was. */
    }
  };
  // After a passkey that was refused the same one is not offered by itself.
  const isRefused = !form.querySelector('[data-credential-problem]').hidden;
  const canOffer =
    !isRefused && (await PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false));
  askBeforeSending(form, async () => {
    clearTimeout(renewal);
    try {
      return await ask('get', await question());
    } catch (error) {
      if (canOffer) offer();
      throw error;
    }
  });
  if (canOffer) offer();
}

for (const input of document.querySelectorAll('[data-credential]')) passkeyStep(input.form);
for (const form of document.querySelectorAll('[data-passkey]')) passkeySignIn(form);
for (const form of document.forms) {
  if ('download' in form.dataset) form.addEventListener('submit', download);
  else sendOnce(form);
}
document.querySelector('form[data-submit-now]')?.requestSubmit();
