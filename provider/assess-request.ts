import type { Client, Interaction, KoaContextWithOIDC } from 'oidc-provider';
import * as z from 'zod';
import { type Assessment, assessSignIn } from '../flows/assess-sign-in.ts';
import { noChoices, type Proved, proved } from '../flows/proofs.ts';
import type { Services } from '../flows/services.ts';
import { applicationAssurances, type Facts } from '../policy/types.ts';
import { assuranceRequest } from './assurance-request.ts';

/** The application as the policy sees it. What an application demands and cannot be read is never taken for nothing. */
export function applicationOf(client: Client): Facts['application'] {
  return {
    clientId: client.clientId,
    organizationId: (client.organization_id as string | null | undefined) ?? null,
    assurance: z.enum(applicationAssurances).parse(client.assurance),
  };
}

/** What a session, or the grant that it gave, has proved; null where nobody is signed in. */
export function provedBy(session: {
  readonly accountId?: string | undefined;
  readonly proved?: unknown;
}): Proved | null {
  return session.accountId === undefined || session.proved === undefined
    ? null
    : proved.parse(session.proved);
}

const moments = new WeakMap<KoaContextWithOIDC, Date>();

/** When the authorization request first arrived: on resuming it after an interaction, still that moment. */
export function requestStartedAt(services: Services, ctx: KoaContextWithOIDC): Date {
  const known = moments.get(ctx);
  if (known) {
    return known;
  }
  const interaction = ctx.oidc.entities.Interaction as Interaction | undefined;
  const carried = interaction?.prompt.details.startedAt;
  const startedAt = typeof carried === 'number' ? new Date(carried) : services.db.clock.now();
  moments.set(ctx, startedAt);
  return startedAt;
}

/** A device that asked for `max_age=0`: its request keeps no prompts, so it is kept beside it. */
export function mustSignInAnew(ctx: KoaContextWithOIDC): boolean {
  const info = ctx.oidc.entities.DeviceCode?.deviceInfo as { login?: unknown } | undefined;
  return info?.login === true;
}

const assessments = new WeakMap<KoaContextWithOIDC, Promise<Assessment | null>>();

/** The decision about the authorization request of this context, asked for once; null where nobody is signed in. */
export function assessRequest(services: Services, ctx: KoaContextWithOIDC): Promise<Assessment | null> {
  const known = assessments.get(ctx);
  if (known) {
    return known;
  }
  const assessment = assess(services, ctx);
  assessments.set(ctx, assessment);
  return assessment;
}

async function assess(services: Services, ctx: KoaContextWithOIDC): Promise<Assessment | null> {
  const { session, client, params } = ctx.oidc;
  if (!session?.accountId || !client) {
    return null;
  }
  const sessionProved = provedBy(session);
  return assessSignIn(services, {
    userId: session.accountId,
    application: applicationOf(client),
    proofs: sessionProved?.proofs ?? [],
    choices: sessionProved?.choices ?? noChoices,
    device: sessionProved?.deviceId ? { kind: 'session', id: sessionProved.deviceId } : null,
    request: assuranceRequest(params ?? {}, requestStartedAt(services, ctx), mustSignInAnew(ctx)),
  });
}
