import Router from '@koa/router';
import type { Context } from 'koa';
import { type Branding, readBranding } from '../entities/branding.ts';
import { organizationById } from '../entities/organizations.ts';
import { changeBranding, logoOf } from '../flows/change-branding.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { BrandingPage } from '../http/organization-pages.ts';
import type { Sentence } from '../http/pages.ts';
import { openToAll } from '../http/route-list.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import type { Site } from '../http/site.ts';
import { contrast } from '../lib/contrast.ts';
import { uploadOf } from './upload.ts';
import { framedBy, inSession, organizationOf, textOf } from './visit.ts';

/** Name, logo and colour of an organization's pages. */
export function brandingRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug/branding', inSession('branding.read'), async (visit) => {
    const { organization } = await organizationOf(visit);
    const branding = readBranding(organization.branding);
    await showBranding(visit, { name: organization.name, accent: branding?.accent ?? '' });
  });

  post('/:slug/branding', inSession('branding.change'), async (visit, form) => {
    const { ctx, site } = visit;
    const file = uploadOf(ctx, 'logo');
    const accent = textOf(form.accent).trim().toLowerCase();
    const name = textOf(form.name);
    const outcome = await changeBranding(site.services, await organizationOf(visit), {
      name,
      accent: accent === '' ? null : accent,
      logo: file ?? (form.withoutLogo === '1' ? 'none' : 'keep'),
    });
    if (outcome.kind === 'conflict') {
      return showBranding(
        visit,
        {
          name,
          accent,
          note: {
            tone: 'danger',
            text: 'Somebody else was changing the same. Nothing of yours was saved; look at it again.',
          },
        },
        409,
      );
    }
    if (outcome.kind === 'invalid') {
      const wrong = (field: (typeof outcome.fields)[number], text: Sentence) =>
        outcome.fields.includes(field) ? text : null;
      return showBranding(
        visit,
        {
          name,
          accent,
          nameError: wrong('name', 'Enter a name of at most 200 characters.'),
          accentError: wrong('accent', 'Enter a colour as # and six digits, like #2453cc.'),
          logoError: wrong('logo', 'This is no PNG, JPEG or WebP picture of at most 200 kB and 2048 pixels.'),
        },
        422,
      );
    }
    leaveFlash(ctx, site.services.ring, {
      tone: 'ok',
      text: 'The branding is saved. It is shown from now on.',
    });
    ctx.status = 303;
    ctx.redirect(ctx.path);
  });
}

async function showBranding(
  visit: SignedIn,
  given: Pick<BrandingPage, 'name' | 'accent'> & Partial<BrandingPage>,
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const { organization } = await organizationOf(visit);
  const branding = readBranding(organization.branding);
  show(
    ctx,
    site.renderer,
    'organizations/branding',
    {
      ...(await framedBy(visit)),
      action: ctx.path,
      hasLogo: branding?.hasLogo ?? false,
      nameError: null,
      accentError: null,
      logoError: null,
      note: null,
      contrast: contrastWords(given.accent),
      ...given,
    },
    status,
  );
}

function contrastWords(accent: string): Sentence | null {
  if (!/^#[0-9a-f]{6}$/i.test(accent)) return null;
  const ratio = contrast(accent, '#ffffff');
  return {
    sentence:
      ratio >= 4.5
        ? 'Contrast with white: {ratio} : 1. It reads well as it is.'
        : 'Contrast with white: {ratio} : 1, less than 4.5. Text and buttons use a darker shade of it, so that they can be read.',
    values: { ratio: ratio.toFixed(1) },
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
    if (accent === null || !/^#[0-9a-f]{6}$/i.test(accent)) throw new RequestError('not_found');
    keep(ctx, branding);
    ctx.type = 'text/css';
    ctx.body = `:root { --brand: ${accent} }\n`;
  });
  return router;
}
