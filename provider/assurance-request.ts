import * as z from 'zod';
import type { AssuranceRequest } from '../policy/types.ts';

const acrClaim = z.object({
  id_token: z
    .object({
      acr: z
        .object({
          essential: z.boolean().optional(),
          value: z.string().optional(),
          values: z.array(z.string()).optional(),
        })
        // Two demands in one, or one that nothing could meet, are none that can be read.
        .refine(({ value, values }) => value === undefined || values === undefined)
        .refine(({ essential, values }) => essential !== true || values?.length !== 0)
        .nullish(),
    })
    .nullish(),
});

/**
 * What an authorization request asks for, from its parameters (OpenID Connect Core 1.0 §3.1.2.1 and §5.5.1.1). The `acr` claim
 * outweighs `acr_values`. oidc-provider has checked the parameters' form before; what it lets through unread is read strictly here.
 */
export function assuranceRequest(
  params: { readonly [name: string]: unknown },
  startedAt: Date,
  signInAnew = false,
): AssuranceRequest {
  const claim = acrClaimOf(params.claims);
  const acrText = typeof params.acr_values === 'string' ? params.acr_values : '';
  const claimed = claim?.values ?? (claim?.value === undefined ? [] : [claim.value]);
  const prompts = typeof params.prompt === 'string' ? params.prompt.split(' ') : [];
  const maxAge = params.max_age === undefined ? null : Number(params.max_age);

  return {
    startedAt,
    login: signInAnew || prompts.includes('login'),
    maxAge: maxAge !== null && Number.isFinite(maxAge) ? maxAge : maxAge === null ? null : 0,
    acrValues: claimed.length > 0 ? claimed : acrText.split(' ').filter((value) => value !== ''),
    essential: claim?.essential === true && claimed.length > 0,
  };
}

/** False where the `claims` parameter demands an `acr` in a form that cannot be read: refused, never taken for no demand. */
export const isReadableDemand = (claims: unknown): boolean => acrClaim.safeParse(claims).success;

function acrClaimOf(claims: unknown) {
  if (typeof claims !== 'string') {
    return null;
  }
  const parsed = acrClaim.safeParse(JSON.parse(claims));
  return parsed.success ? (parsed.data.id_token?.acr ?? null) : null;
}
