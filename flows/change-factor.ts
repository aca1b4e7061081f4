import { auditEvent } from '../audit/audit.ts';
import { renameFactor as renameFactorRow } from '../entities/factors.ts';
import { preferFactor as preferFactorRow } from '../entities/users.ts';
import { oneLine } from '../lib/one-line.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import type { Services } from './services.ts';

interface Input {
  readonly actor: Actor;
  readonly assessment: Assessment;
  readonly factorId: string;
}

const isOwn = ({ assessment, factorId }: Input): boolean =>
  assessment.factors.some(({ id }) => id === factorId);

/** What people call a factor; an empty name gives it that of its method again. False where there is no such factor of theirs. */
export async function renameFactor(
  services: Services,
  input: Input & { readonly name: string },
): Promise<boolean> {
  const { db } = services;
  const { actor, factorId } = input;
  const name = oneLine(input.name, 60);
  return (
    isOwn(input) &&
    db.together([
      stillSignedIn(services, actor),
      renameFactorRow(actor.user.id, factorId, name === '' ? null : name),
      auditEvent(db, actor.origin, { type: 'factor.renamed', userId: actor.user.id }),
    ])
  );
}

/** The factor that is asked for first. */
export async function preferFactor(services: Services, input: Input): Promise<boolean> {
  const { db } = services;
  const { actor, factorId } = input;
  return (
    isOwn(input) &&
    db.together([
      stillSignedIn(services, actor),
      preferFactorRow(actor.user.id, factorId),
      auditEvent(db, actor.origin, { type: 'factor.preferred', userId: actor.user.id }),
    ])
  );
}
