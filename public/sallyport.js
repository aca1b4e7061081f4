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

for (const form of document.forms) {
  if ('download' in form.dataset) form.addEventListener('submit', download);
  else sendOnce(form);
}
for (const place of document.querySelectorAll('[data-countdown]')) countDown(place);
for (const button of document.querySelectorAll('[data-copy]'))
  button.addEventListener('click', () => copy(button));
for (const button of document.querySelectorAll('[data-print]'))
  button.addEventListener('click', () => print());

/* A code that was wrong is selected, so that typing replaces it. */
document.querySelector('input.code[aria-invalid="true"], input.recovery[aria-invalid="true"]')?.select();
