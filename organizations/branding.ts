import Router from '@koa/router';
import type { Context } from 'koa';
import { type Branding, readBranding } from '../entities/branding.ts';
import { organizationById } from '../entities/organizations.ts';
import {
  type BrandingField,
  type BrandingWish,
  changeBranding,
  logoIn,
  logoOf,
  versionOfBranding,
  wrongInBranding,
} from '../flows/change-branding.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import { languageOf } from '../http/language.ts';
import type { BrandingPage } from '../http/organization-pages.ts';
import type { Language, Sentence } from '../http/pages.ts';
import { openToAll } from '../http/route-list.ts';
import { brandOf, show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import type { Site } from '../http/site.ts';
import { contrast } from '../lib/contrast.ts';
import { uploadOf } from './upload.ts';
import { framedBy, inSession, lineOf, organizationOf, textOf } from './visit.ts';

/** Name, logo and colour of an organization's pages. */
export function brandingRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug/branding', inSession('branding.read'), async (visit) => {
    const { organization } = await organizationOf(visit);
    const branding = readBranding(organization.branding);
    await showBranding(visit, {
      name: organization.name,
      accent: branding?.accent ?? '',
      logo: 'keep',
    });
  });

  post('/:slug/branding', inSession('branding.change'), async (visit, form) => {
    const { ctx, site } = visit;
    const accent = textOf(form.accent).trim().toLowerCase();
    const wish: BrandingWish = {
      name: lineOf(form.name),
      accent: accent === '' ? null : accent,
      seen: textOf(form.version),
      logo: uploadOf(ctx, 'logo') ?? (form.withoutLogo === '1' ? 'none' : (carried(form.chosen) ?? 'keep')),
    };
    const typed = { name: wish.name, accent, logo: wish.logo };
    const show = async (fields: readonly BrandingField[], more: Partial<BrandingPage> = {}, status = 200) => {
      const wrong = (field: BrandingField, text: Sentence) => (fields.includes(field) ? text : null);
      await showBranding(
        visit,
        typed,
        {
          nameError: wrong('name', 'Enter a name of at most 200 characters.'),
          accentError: wrong('accent', 'Enter a colour as # and six digits, like #2453cc.'),
          logoError: wrong('logo', 'This is no PNG, JPEG or WebP picture of at most 200 kB and 2048 pixels.'),
          ...more,
        },
        fields.length > 0 ? 422 : status,
      );
    };
    if (form.act === 'preview') return show(wrongInBranding(wish), { isPreview: true });
    const outcome = await changeBranding(site.services, await organizationOf(visit), wish);
    if (outcome.kind === 'conflict') {
      const text = 'Somebody else was changing the same. Nothing of yours was saved; look at it again.';
      return show([], { note: { tone: 'danger', text } }, 409);
    }
    if (outcome.kind === 'invalid') return show(outcome.fields);
    leaveFlash(ctx, site.services.ring, {
      tone: 'ok',
      text: 'The branding is saved. It is shown from now on.',
    });
    ctx.status = 303;
    ctx.redirect(ctx.path);
  });
}

/** A logo that was chosen before, and comes along until it is saved: no browser lets a page choose a file again. */
function carried(given: unknown): Buffer | null {
  const bytes = Buffer.from(textOf(given), 'base64');
  return logoIn(bytes) ? bytes : null;
}

async function showBranding(
  visit: SignedIn,
  {
    name,
    accent,
    logo,
  }: { readonly name: string; readonly accent: string; readonly logo: BrandingWish['logo'] },
  given: Partial<BrandingPage> = {},
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const { organization } = await organizationOf(visit);
  const branding = readBranding(organization.branding);
  const picture = Buffer.isBuffer(logo) ? logoIn(logo) : null;
  const chosen = picture && Buffer.isBuffer(logo) ? logo.toString('base64') : null;
  const { logoUrl: stored, initial } = brandOf(name, organization.branding);
  show(
    ctx,
    site.renderer,
    'organizations/branding',
    {
      ...(await framedBy(visit)),
      action: ctx.path,
      version: versionOfBranding(organization),
      name,
      accent,
      hasLogo: branding?.hasLogo ?? false,
      withoutLogo: logo === 'none',
      chosen,
      look: {
        name: shortened(name),
        initial,
        colour: isColour(accent) ? accent : usualColour,
        logo: picture ? `data:${picture.type};base64,${chosen}` : logo === 'none' ? null : stored,
      },
      isPreview: false,
      nameError: null,
      accentError: null,
      logoError: null,
      note: null,
      contrast: contrastWords(accent, languageOf(ctx)),
      ...given,
    },
    status,
  );
}

/** Of the style sheet, where an organization has chosen none. */
const usualColour = '#2453cc';
const isColour = (text: string): boolean => /^#[0-9a-f]{6}$/i.test(text);

/** What fits into one line of the picture; the pages themselves break it. */
const shortened = (name: string): string =>
  [...name].length > 24 ? `${[...name].slice(0, 23).join('')}…` : name;

function contrastWords(accent: string, lang: Language): Sentence | null {
  if (!isColour(accent)) return null;
  const ratio = contrast(accent, '#ffffff');
  return {
    sentence:
      ratio >= 4.5
        ? 'Contrast with white: {ratio} : 1. It reads well as it is.'
        : 'Contrast with white: {ratio} : 1, less than 4.5. Text and buttons use a darker shade of it, so that they can be read.',
    values: {
      ratio: new Intl.NumberFormat(lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(
        ratio,
      ),
    },
  };
}

/** Logos and colours, for everybody: their addresses change with what they show. */
export function brandRoutes({ services, routes }: Site): Router {
  const router = new Router({ prefix: '/brand/:organization/:version' });
  routes.add(openToAll('/brand/:organization/:version/logo'));
  routes.add(openToAll('/brand/:organization/:version/brand.css'));

  /** Kept for ever by whoever asks, but only under the address that it has now: a cache must not know tomorrow's before it is there. */
  const keep = (ctx: Context, branding: Branding): void => {
    if (ctx.params.version === String(branding.version)) {
      ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
    }
    ctx.set('Content-Security-Policy', "default-src 'none'; sandbox");
  };
  const brandingOf = async (ctx: Context): Promise<Branding> => {
    const organization = await organizationById(services.db, String(ctx.params.organization));
    const branding = readBranding(organization?.branding);
    if (!branding) throw new RequestError('not_found');
    return branding;
  };
  router.get('/logo', async (ctx) => {
    const branding = await brandingOf(ctx);
    const logo = await logoOf(services, branding.organizationId);
    if (!logo) throw new RequestError('not_found');
    keep(ctx, branding);
    ctx.type = logo.type;
    ctx.body = Buffer.from(logo.data, 'base64');
  });
  router.get('/brand.css', async (ctx) => {
    const branding = await brandingOf(ctx);
    const { accent } = branding;
    if (accent === null || !isColour(accent)) throw new RequestError('not_found');
    keep(ctx, branding);
    ctx.type = 'text/css';
    ctx.body = `:root { --brand: ${accent} }\n`;
  });
  return router;
}
