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

const under = (head, text) => (head && textOf(head) ? `${textOf(head)}\n\n${text}` : text);

/** Copies, or selects where copying is not allowed. */
async function copy(button) {
  try {
    await navigator.clipboard.writeText(under(button.dataset.copyHead, textOf(button.dataset.copy)));
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
    new Blob([`${under('[data-codes-head] p', textOf('[data-recovery-codes] li'))}\n`], {
      type: 'text/plain',
    }),
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

/* Keyboards for Chinese and Japanese write wide digits; sent are the ones that a code has. */
for (const input of document.querySelectorAll('input.code'))
  input.addEventListener('change', () => {
    input.value = input.value.normalize('NFKC');
  });

/* A file that would be refused anyway is not sent first: what was typed beside it stays. */
for (const input of document.querySelectorAll('input[type="file"][data-largest]'))
  input.addEventListener('change', () => {
    const [file] = input.files;
    input.setCustomValidity(file && file.size > Number(input.dataset.largest) ? input.dataset.tooLarge : '');
    input.reportValidity();
  });

/** How an organization would look, while it is chosen; without scripts its Preview button shows the same. */
function showLook(form) {
  const { name, accent, logo, withoutLogo } = form.elements;
  const pick = form.querySelector('[data-pick]');
  const looks = [...document.querySelectorAll('.look')];
  const each = (selector, change) => {
    for (const look of looks) change(look.querySelector(selector));
  };
  const usual = '#2453cc';
  const stored = looks[0].querySelector('image').getAttribute('href') ?? '';
  const colour = (value) => {
    for (const look of looks) look.setAttribute('color', value);
    // What was said of another colour holds no longer.
    form.querySelector('[data-contrast]')?.remove();
  };
  const picture = (address) => {
    each('image', (image) => {
      image.setAttribute('href', address);
      image.classList.toggle('away', address === '');
    });
    each('[data-initial]', (initial) => initial.classList.toggle('away', address !== ''));
  };
  const chooseLogo = () => {
    const [file] = logo.files;
    if (withoutLogo?.checked && !file) return picture('');
    if (!file || !logo.checkValidity()) return picture(stored);
    const reader = new FileReader();
    reader.addEventListener('load', () => picture(reader.result));
    reader.readAsDataURL(file);
  };
  pick.addEventListener('input', () => {
    accent.value = pick.value;
    colour(pick.value);
  });
  accent.addEventListener('input', () => {
    const value = accent.value.trim() || usual;
    if (!/^#[0-9a-f]{6}$/i.test(value)) return;
    pick.value = value;
    colour(value);
  });
  name.addEventListener('input', () => {
    const letters = [...name.value.trim()];
    each('[data-look-name]', (place) => {
      place.textContent = letters.length > 24 ? `${letters.slice(0, 23).join('')}…` : letters.join('');
    });
    each('[data-initial] text', (place) => {
      place.textContent = (letters[0] ?? 'S').toUpperCase();
    });
  });
  logo.addEventListener('change', chooseLogo);
  withoutLogo?.addEventListener('change', chooseLogo);
}

for (const form of document.querySelectorAll('form[data-looks]')) showLook(form);

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

/* The page checks what works without scripts; with them, what is best. */
for (const input of document.querySelectorAll('input[data-preferred]'))
  if (input.value !== 'passkey' || canPasskey) input.checked = true;

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
        credential.value = await answer();
        form.requestSubmit(button);
      } catch (error) {
        button.ariaBusy = null;
        // Said by an authenticator that is asked to make a second passkey for the same account.
        const isThere = error?.name === 'InvalidStateError' && credential.dataset.there;
        tell(form, isThere || credential.dataset.failed);
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
  askBeforeSending(form, async () => withText(await ask(dataset.credential, JSON.parse(dataset.options))));
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
      return withText(await ask('get', await question()));
    } catch (error) {
      if (canOffer) offer();
      throw error;
    }
  });
  if (canOffer) offer();
}

/*
 * Approvers: browsers with a key of their own. It is made here, cannot be read by anybody, not even by this page, and is kept under
 * the name of its public half. What is signed is the page's JSON; the server makes the same of what it knows.
 */

const inKeys = (mode, act) =>
  new Promise((resolve, reject) => {
    const opening = indexedDB.open('sallyport', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('approver-keys');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const done = opening.result.transaction('approver-keys', mode);
      const asked = act(done.objectStore('approver-keys'));
      done.oncomplete = () => {
        opening.result.close();
        resolve(asked.result);
      };
      done.onabort = () => reject(done.error);
    };
  });

const utf8 = (string) => new TextEncoder().encode(string);
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const signWith = async (key, said) => text(await crypto.subtle.sign(ecdsa, key, utf8(said)));

/** The first of these keys that this browser holds: its name and the key; null where it holds none. */
async function approverKey(names) {
  try {
    for (const keyId of names) {
      const key = await inKeys('readonly', (keys) => keys.get(keyId));
      if (key) return { keyId, key };
    }
  } catch {
    /* A browser that keeps nothing holds no key. */
  }
  return null;
}

/** "Confirm setup" makes the key, keeps it and proves it. */
function approverSetUp(form) {
  const { dataset } = form.elements.credential;
  askBeforeSending(form, async () => {
    const pair = await crypto.subtle.generateKey(ecdsa, false, ['sign', 'verify']);
    const publicKey = text(await crypto.subtle.exportKey('spki', pair.publicKey));
    const keyId = text(await crypto.subtle.digest('SHA-256', utf8(publicKey)));
    await inKeys('readwrite', (keys) => keys.put(pair.privateKey, keyId));
    return JSON.stringify({ publicKey, signature: await signWith(pair.privateKey, dataset.approverNew) });
  });
  if (globalThis.crypto?.subtle && globalThis.indexedDB) return;
  tell(form, dataset.failed);
  form.querySelector('.button').hidden = true;
}

/** The sign-in is in an approver's own browser: it can answer by itself. */
async function approverHere(input) {
  const { form, dataset } = input;
  const found = dataset.approverHere && (await approverKey(JSON.parse(dataset.keys)));
  if (!found) return;
  const place = form.querySelector('[data-approver-found]');
  place.hidden = false;
  place.querySelector('button').addEventListener('click', async () => {
    input.value = JSON.stringify({
      keyId: found.keyId,
      signature: await signWith(found.key, dataset.approverHere),
    });
    form.requestSubmit();
  });
}

/** One of three numbers is signed together with the whole request. */
async function approverSign(form) {
  const { dataset } = form;
  const found = await approverKey(JSON.parse(dataset.keys));
  if (!found) {
    tell(form, dataset.missing);
    for (const button of form.querySelectorAll('button')) button.disabled = true;
    return;
  }
  let number = null;
  form.addEventListener(
    'submit',
    async (event) => {
      if (form.elements.credential.value) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (number !== null) return;
      const { submitter } = event;
      number = Number(submitter.value);
      const said = JSON.parse(dataset.approverSign);
      const signature = await signWith(found.key, JSON.stringify([...said.slice(0, -1), number]));
      form.elements.credential.value = JSON.stringify({ keyId: found.keyId, signature });
      // Signing can be done before the browser has let go of the first submission.
      setTimeout(() => form.requestSubmit(submitter));
    },
    { capture: true },
  );
}

/** The server says when another device has answered, or has asked. Without its stream the page looks again by itself. */
function waitForEvent(place) {
  const { form } = document.querySelector('[data-approver-here]') ?? {};
  const goOn = () => {
    source.close();
    if (!form) return location.reload();
    if (!form.elements.credential.value) form.requestSubmit();
  };
  const source = new EventSource(place.dataset.events);
  source.addEventListener('answered', goOn);
  source.addEventListener('asked', goOn);
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(goOn, 10_000);
  });
  addEventListener('pagehide', () => source.close());
}

/** What is typed is looked at by the server, by the rules that saving follows. Without a script it is looked at when it is saved. */
function checkAsTyped(form) {
  let soon;
  let asked = 0;
  const say = (field, text) => {
    const id = `${field.name}-error`;
    const before = document.getElementById(id);
    if (before?.textContent.trim() === (text ?? '')) return;
    before?.remove();
    field.toggleAttribute('aria-invalid', false);
    if (text === null) return field.setAttribute('aria-describedby', `${field.name}-hint`);
    const error = document.createElement('p');
    Object.assign(error, { id, className: 'error', textContent: text });
    field.after(error);
    field.setAttribute('aria-invalid', 'true');
    field.setAttribute('aria-describedby', id);
    announce(text);
  };
  const look = async () => {
    asked += 1;
    const mine = asked;
    try {
      const response = await fetch(form.dataset.check, {
        method: 'POST',
        headers: { Accept: 'application/json' },
        body: new URLSearchParams(new FormData(form)),
      });
      const found = await response.json();
      if (!response.ok || mine !== asked) return;
      for (const field of form.querySelectorAll('[data-checked]')) say(field, found[field.name] ?? null);
    } catch {
      // Saving tells.
    }
  };
  form.addEventListener('input', ({ target }) => {
    if (!target.matches('[data-checked]')) return;
    clearTimeout(soon);
    soon = setTimeout(look, 400);
  });
}

for (const form of document.querySelectorAll('form[data-check]')) checkAsTyped(form);
for (const input of document.querySelectorAll('[data-approver-new]')) approverSetUp(input.form);
for (const input of document.querySelectorAll('[data-approver-here]')) approverHere(input);
for (const form of document.querySelectorAll('[data-approver-sign]')) approverSign(form);
for (const place of document.querySelectorAll('[data-events^="/"]')) waitForEvent(place);
for (const input of document.querySelectorAll('[data-credential]')) passkeyStep(input.form);
for (const form of document.querySelectorAll('[data-passkey]')) passkeySignIn(form);
for (const form of document.forms) {
  if ('download' in form.dataset) form.addEventListener('submit', download);
  else sendOnce(form);
}
addEventListener('load', () => document.querySelector('form[data-submit-now]')?.requestSubmit());

// On a phone the navigation scrolls: where one is stands in sight.
document.querySelector('.side [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

// What is wrong, or was done, stands in sight: Chromium puts the focus there, and does not always scroll to it. What is wrong comes first.
addEventListener('load', () => {
  const at = document.activeElement;
  if (!at?.matches('[autofocus]')) return;
  const wrong = document.querySelector('[autofocus]:is([aria-invalid], [role="alert"])');
  if (wrong && wrong !== at) wrong.focus();
  if (wrong) wrong.scrollIntoView({ block: 'center' });
  else if (at.matches('[role="status"]')) at.scrollIntoView({ block: 'nearest' });
});
