import 'oidc-provider';

/** What Sallyport keeps in the library's own records (see create-provider.ts, `keepInPayload`). */
declare module 'oidc-provider' {
  interface Session {
    proved?: unknown;
  }
  interface Grant {
    proved?: unknown;
  }
}
