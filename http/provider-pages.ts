import type { Context } from 'koa';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Logger } from 'pino';
import type { ProviderPages } from '../provider/create-provider.ts';
import { asChosen, deviceName } from './device-name.ts';
import { describeError, isDatabaseAway } from './errors.ts';
import { libraryForm } from './library-forms.ts';
import type { Sentence } from './pages.ts';
import type { Renderer } from './render.ts';
import { brandOf, common, show, showError } from './show.ts';

/** What an authorization request did wrong, in words for the person who stands in front of it. */
const requestErrors: Readonly<Record<string, { title: Sentence; advice: Sentence }>> = {
  invalid_client: {
    title: 'This application is not known here',
    advice: 'Tell the people who run the application that you came from.',
  },
  invalid_redirect_uri: {
    title: 'This application may not send people here',
    advice:
      'Its return address is not registered. Tell the people who run the application that you came from.',
  },
};

const unclear: { title: Sentence; advice: Sentence } = {
  title: 'The application sent a request that cannot be served',
  advice: 'Go back to it and try again. If it happens again, tell the people who run the application.',
};

/** The pages that oidc-provider asks for, in our look. */
export function providerPages(renderer: Renderer, log: Logger): ProviderPages {
  return {
    renderError: (oidcCtx, out, error) => {
      const ctx = oidcCtx as unknown as Context;
      ctx.remove('Location');
      // The library calls it an invalid request, as if the application had made a mistake.
      const isOver = error instanceof errors.SessionNotFound;
      if (isOver || isDatabaseAway(error) || out.error === 'server_error') {
        const shown = describeError(error, log);
        if (shown.retryAfter !== null) {
          ctx.set('Retry-After', String(shown.retryAfter));
        }
        showError(ctx, renderer, shown);
        return;
      }
      const words = requestErrors[out.error] ?? unclear;
      show(
        ctx,
        renderer,
        'error',
        {
          ...common(ctx),
          ...words,
          errorId: null,
          waitSeconds: null,
          actions: [],
        },
        ctx.status,
      );
    },

    confirmSignOut: (oidcCtx, form) => {
      const ctx = oidcCtx as unknown as Context;
      const { action, hidden } = libraryForm(form);
      show(ctx, renderer, 'confirm-sign-out', { ...common(ctx), ...of(oidcCtx), action, hidden });
    },

    signedOut: (oidcCtx) => {
      const ctx = oidcCtx as unknown as Context;
      show(ctx, renderer, 'signed-out', { ...common(ctx), ...of(oidcCtx), signIn: null });
    },

    deviceCode: (oidcCtx, form, error) => {
      const ctx = oidcCtx as unknown as Context;
      const { action, hidden } = libraryForm(form);
      const { userCode, name } = (error ?? {}) as { userCode?: string; name?: string };
      const locals = {
        ...common(ctx),
        action,
        hidden: hidden.filter(({ name: field }) => field !== 'user_code'),
        typed: typeof userCode === 'string' ? userCode : '',
        error: error
          ? (deviceErrors[name ?? ''] ?? 'That code is not right. Look at the device and try again.')
          : null,
      };
      show(ctx, renderer, 'device-code', locals, error ? 422 : 200);
    },

    deviceConfirm: (oidcCtx, form, userCode) => {
      const ctx = oidcCtx as unknown as Context;
      const { action, hidden } = libraryForm(form);
      const info = oidcCtx.oidc.entities.DeviceCode?.deviceInfo as { ip?: string; ua?: string } | undefined;
      show(ctx, renderer, 'device-confirm', {
        ...common(ctx),
        ...of(oidcCtx),
        applicationName: nameOf(oidcCtx) ?? '',
        userCode,
        from: [info?.ip === undefined ? null : asChosen(info.ip), deviceName(info?.ua ?? null)].filter(
          (part) => part !== null,
        ),
        action,
        hidden,
      });
    },

    deviceDone: (oidcCtx) => {
      const ctx = oidcCtx as unknown as Context;
      show(ctx, renderer, 'device-done', {
        ...common(ctx),
        ...of(oidcCtx),
        applicationName: nameOf(oidcCtx) ?? '',
      });
    },
  };
}

const deviceErrors: Readonly<Record<string, Sentence>> = {
  NoCodeError: 'Enter the code that the device shows.',
  NotFoundError: 'That code is not right. Look at the device and try again.',
  ExpiredError: 'That code has expired. Ask the device for a new one.',
  AlreadyUsedError: 'That code was used already. Ask the device for a new one.',
  AbortedError: 'The device was refused. You can close this page.',
};

const nameOf = (ctx: KoaContextWithOIDC): string | null =>
  ctx.oidc.client ? (ctx.oidc.client.clientName ?? ctx.oidc.client.clientId) : null;

const of = (ctx: KoaContextWithOIDC) => ({
  applicationName: nameOf(ctx),
  brand: brandOf(
    (ctx.oidc.client?.organization_name as string | null | undefined) ?? null,
    ctx.oidc.client?.organization_branding as string | null | undefined,
  ),
});
