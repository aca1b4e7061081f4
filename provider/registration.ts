import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import * as z from 'zod';
import { clientMetadata, metadataProblems } from '../flows/client-metadata.ts';
import type { Services } from '../flows/services.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { token } from '../lib/random.ts';
import { RecordAdapter } from './adapter.ts';

/** The name under which tokens carry the rule below. */
export const registrationPolicy = 'application';

/** What a registering program does not decide: who it belongs to, whether people are asked, and what it may do at the management API. */
const notForPrograms = ['api_scopes', 'broker', 'resource', 'resource_scopes'] as const;

const metadata = z.object({
  client_name: z.string().min(1).max(200).regex(oneLinePattern).optional(),
  ...clientMetadata,
});

/**
 * Dynamic registration (RFC 7591) and its management (RFC 7592) hold to what a configuration file may say. The application belongs
 * to the organization of the token, people are asked for consent, and it can demand a second factor only like any other: by request.
 */
export function checkRegistration(ctx: KoaContextWithOIDC, properties: Record<string, unknown>): void {
  const { InitialAccessToken, Client } = ctx.oidc.entities;
  const organizationId = Client
    ? ((Client.organization_id as string | null | undefined) ?? null)
    : ((InitialAccessToken as { organizationId?: string | null } | undefined)?.organizationId ?? null);
  for (const name of notForPrograms) {
    if (properties[name] !== undefined) {
      throw new errors.InvalidClientMetadata(`${name} is not for dynamic registration`);
    }
  }
  const parsed = metadata.safeParse(properties);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new errors.InvalidClientMetadata(`${issue?.path.join('.')}: ${issue?.message}`);
  }
  const [problem] = metadataProblems(parsed.data, true);
  if (problem) {
    throw new errors.InvalidClientMetadata(`${problem.name} ${problem.message}`);
  }
  Object.assign(properties, {
    organization_id: organizationId,
    organization_name: undefined,
    organization_slug: undefined,
    first_party: false,
    assurance: Client?.assurance ?? 'none',
  });
}

/**
 * A token with which programs may register applications, of an organization or of the instance, until it expires. It is told once;
 * the database has its digest.
 */
export async function issueRegistrationToken(
  { db, ring }: Pick<Services, 'db' | 'ring'>,
  input: { readonly organizationId: string | null; readonly lifetime: number },
): Promise<{ readonly token: string; readonly expiresAt: Date }> {
  const value = token();
  const now = db.clock.now();
  const lifetime = Math.floor(input.lifetime / 1000);
  await new RecordAdapter('InitialAccessToken', db, ring).upsert(
    value,
    {
      kind: 'InitialAccessToken',
      jti: value,
      iat: Math.floor(now.getTime() / 1000),
      policies: [registrationPolicy],
      organizationId: input.organizationId,
    },
    lifetime,
  );
  return { token: value, expiresAt: new Date(now.getTime() + lifetime * 1000) };
}

/** One that was never told to anybody. */
export const dropRegistrationToken = (
  { db, ring }: Pick<Services, 'db' | 'ring'>,
  issued: string,
): Promise<void> => new RecordAdapter('InitialAccessToken', db, ring).destroy(issued);
