import { factors } from '../factors/index.ts';
import { readableOn } from '../lib/contrast.ts';
import type { RenderMail, RenderText } from '../notifications/gateway.ts';
import type { MailBrand } from '../notifications/mail-brand.ts';
import type { MessageValues } from '../notifications/outbox.ts';
import { methods } from '../policy/types.ts';
import { accountChanges } from './account-changes.ts';
import { deviceName, storedName } from './device-name.ts';
import { type Language, languages, type MailLook, type Mails } from './pages.ts';
import type { Renderer } from './render.ts';
import { brandOf } from './show.ts';

const names: { readonly [name in keyof Mails]: true } = {
  code: true,
  'recovery-code-used': true,
  'factor-added': true,
  'two-factor-reset': true,
  'sign-in-stopped': true,
  'new-device': true,
  'two-factor-reset-link': true,
  'membership-changed': true,
  'account-changed': true,
  'password-reset': true,
  'password-elsewhere': true,
  'sign-in-denied': true,
  invitation: true,
  'confirm-email': true,
  'help-asked': true,
  register: true,
  'policy-announced': true,
  'policy-reminder': true,
};

/** Turns what the outbox keeps of a mail into its words. */
export function mailRenderer(renderer: Renderer, issuer: string): RenderMail {
  return (template, values, locale, brand) => {
    if (!Object.hasOwn(names, template)) {
      throw new Error(`there is no mail called ${template}`);
    }
    const locals = {
      lang: languageNamed(locale),
      brand: brandOf(brand.name),
      look: lookOf(brand),
      accountUrl: `${issuer}/account`,
      ...values,
      name: values.name ?? null,
      ...happening(values),
      ...(typeof values.until === 'string' ? { until: new Date(values.until) } : {}),
      ...(template === 'account-changed' ? changeOf(values) : {}),
      ...(template.startsWith('policy-') ? policyFacts(values) : {}),
    };
    const mail = renderer.renderMail(template as keyof Mails, locals as unknown as Mails[keyof Mails]);
    return { ...mail, logo: brand.logo };
  };
}

/** Turns what a text message says into its words. Its last line lets telephones fill in the code, on our pages only. */
export function textRenderer(renderer: Renderer, issuer: string): RenderText {
  return (template, values, locale, organizationName) => {
    const shared = {
      lang: languageNamed(locale),
      brand: brandOf(organizationName?.slice(0, 40) ?? null),
    };
    if (template === 'phone-changed') {
      return renderer.renderText(template, shared);
    }
    if (template !== 'code') {
      throw new Error(`there is no text message called ${template}`);
    }
    return renderer.renderText(template, {
      ...shared,
      host: new URL(issuer).hostname,
      code: String(values.code),
      minutes: Number(values.minutes),
    });
  };
}

/** The organization's colour where it can be read, on the light ground and on the dark one of `views/mail/html.ejs`. */
const lookOf = ({ accent, logo }: MailBrand): MailLook => {
  const colour = accent !== null && /^#[0-9a-f]{6}$/i.test(accent) ? accent : null;
  return {
    line: colour,
    light: readableOn(colour ?? '#2453cc', '#ffffff'),
    dark: readableOn(colour ?? '#94b0ff', '#171b23'),
    hasLogo: logo !== null,
  };
};

const languageNamed = (locale: string | null): Language =>
  languages.find((language) => locale?.toLowerCase().startsWith(language)) ?? 'en';

/** What a policy asks for, until when, and what would do. */
const policyFacts = (values: MessageValues) => ({
  until: typeof values.until === 'string' ? new Date(values.until) : null,
  hasOther: values.hasOther === 1,
  methods: String(values.methods ?? '')
    .split(' ')
    .flatMap((word) => {
      const method = methods.find((known) => known === word);
      const factor = method && factors.find(({ id }) => id === method);
      return factor ? [factor.label] : [];
    }),
});

/** When, on which device, from where: as the mails about something that happened tell it. */
const happening = (values: MessageValues) => ({
  at: new Date(String(values.at ?? 0)),
  device: deviceName(typeof values.userAgent === 'string' ? values.userAgent : null),
  from: values.ip ?? null,
  notMeUrl: values.notMeUrl ?? null,
});

/** What was changed, in words. */
function changeOf({ change, what, method }: MessageValues) {
  const words = accountChanges[String(change) as keyof typeof accountChanges];
  if (!words) {
    throw new Error(`there are no words for the change ${change}`);
  }
  const label = factors.find(({ id }) => id === method)?.label ?? '';
  return { ...words, what: typeof what === 'string' ? storedName(what) : { sentence: label, values: {} } };
}
