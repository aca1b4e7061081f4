import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import type { Services } from '../flows/services.ts';
import type { Assurance } from '../policy/types.ts';
import { assessRequest, mustSignInAnew, requestStartedAt } from './assess-request.ts';

const { base, Check, Prompt } = interactionPolicy;

/**
 * When the hosted pages must be shown. The library's own checks of `max_age` and `acr` are left out: both are questions to the
 * policy, which is asked on every authorization request, silent ones too.
 */
export function createInteractionPolicy(services: Services): interactionPolicy.DefaultPolicy {
  const library = base();
  const details = (ctx: KoaContextWithOIDC) => ({
    startedAt: requestStartedAt(services, ctx).getTime(),
    signInAnew: mustSignInAnew(ctx),
  });
  const libraryCheck = (prompt: string, reason: string) => {
    const check = library.get(prompt)?.checks.get(reason);
    if (!check) {
      throw new Error(`oidc-provider has no check ${reason} in its prompt ${prompt} any more`);
    }
    return check;
  };

  const login = new Prompt(
    { name: 'login', requestable: true },
    details,
    libraryCheck('login', 'no_session'),
    new Check('id_token_hint', 'the hint names another person', 'login_required', async (ctx) => {
      const hinted = await subjectHinted(ctx);
      return hinted !== null && hinted !== ctx.oidc.session?.accountId;
    }),
    libraryCheck('login', 'claims_id_token_sub_value'),
    new Check('first_factor', 'End-User authentication is required', 'login_required', async (ctx) => {
      const assessment = await assessRequest(services, ctx);
      return (
        ctx.oidc.session?.accountId !== undefined &&
        (assessment === null || assessment.decision.kind === 'sign_in')
      );
    }),
  );

  const secondFactor = new Prompt(
    { name: 'second_factor', requestable: false },
    details,
    new Check('second_factor', 'a second factor is required', 'interaction_required', async (ctx) => {
      const assessment = await assessRequest(services, ctx);
      if (!assessment) {
        return Check.REQUEST_PROMPT;
      }
      const { decision } = assessment;
      if (decision.kind === 'refuse' && decision.unmet) {
        throw new errors.UnmetAuthenticationRequirements(
          'the requested authentication requirements cannot be met',
        );
      }
      if (decision.kind !== 'allow') {
        return Check.REQUEST_PROMPT;
      }
      sayWhatWasProved(ctx, decision.assurance);
      return Check.NO_NEED_TO_PROMPT;
    }),
  );

  const consent = new Prompt(
    { name: 'consent', requestable: true },
    details,
    ...['native_client_prompt', 'op_scopes_missing', 'op_claims_missing', 'rs_scopes_missing'].map((reason) =>
      libraryCheck('consent', reason),
    ),
  );

  const policy = base();
  policy.clear();
  policy.add(login);
  policy.add(secondFactor);
  policy.add(consent);
  return policy;
}

/** Whom `id_token_hint` names. The library looks at it when a request arrives only, not after the sign-in page (Core 1.0 §3.1.2.2). */
async function subjectHinted(ctx: KoaContextWithOIDC): Promise<string | null> {
  const { params, client, provider } = ctx.oidc;
  if (typeof params?.id_token_hint !== 'string' || !client) {
    return null;
  }
  const { IdToken } = provider as unknown as {
    IdToken: { validate(jwt: string, client: unknown): Promise<{ payload: { sub?: string } }> };
  };
  const { payload } = await IdToken.validate(params.id_token_hint, client);
  return payload.sub ?? '';
}

/**
 * The claims come from the decision about this request, not from what an earlier one left in the session. Where nobody knows when it
 * was proved, there is no `auth_time`.
 */
function sayWhatWasProved(ctx: KoaContextWithOIDC, { acr, amr, provedAt }: Assurance): void {
  const { session } = ctx.oidc;
  if (!session) {
    return;
  }
  const authTime = provedAt === null ? undefined : Math.floor(provedAt.getTime() / 1000);
  if (session.acr !== acr || session.amr?.join(' ') !== amr.join(' ') || session.loginTs !== authTime) {
    Object.assign(session, { acr, amr: [...amr], loginTs: authTime });
  }
}
