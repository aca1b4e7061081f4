import { ReadAhead } from '../lib/current-request.ts';
import { type ApplicationRow, applicationColumns, type FoundApplicationRow } from './applications.ts';
import type { Database, Value } from './database.ts';
import { part } from './joined.ts';
import { type ProviderRecordRow, recordColumns, recordLives } from './provider-records.ts';
import { type SessionRow, sessionColumns, sessionLives, sessionLivesAt } from './sessions.ts';
import { type FoundSignInRow, type SignInRow, signInColumns, signInDead } from './sign-ins.ts';
import { type ClaimsRow, claimsColumns } from './users.ts';

// Records of oidc-provider together with the rows that the same request asks for next: one question instead of three
// (docs/decisions/0032-one-question.md). What is live is said by the tables' own words.

/** Handed over to the question that comes next in the same request. */
export const applicationsAhead = new ReadAhead<FoundApplicationRow>('application');
export const signInsAhead = new ReadAhead<FoundSignInRow | null>('sign-in');
export const grantsAhead = new ReadAhead<ProviderRecordRow>('grant');
export const sessionsAhead = new ReadAhead<SessionRow>('session');

const record = part<ProviderRecordRow>('r', 'r', recordColumns);

/** What a code or a token is worth depends on these; null where one is not there, or does not live. */
export interface TokenRow {
  readonly token: ProviderRecordRow;
  readonly holder: ClaimsRow | null;
  readonly grant: ProviderRecordRow | null;
  readonly session: SessionRow | null;
}

const holder = part<ClaimsRow>('u', 'u', claimsColumns);
const grant = part<ProviderRecordRow>('g', 'g', recordColumns);
const session = part<SessionRow>('s', 's', sessionColumns);

const tokenQuestion = `SELECT ${record.columns}, ${holder.columns}, ${grant.columns}, ${session.columns},
    CASE WHEN g.account_id = r.account_id AND ${recordLives('g', 'u')} THEN 1 ELSE 0 END AS grant_lives,
    CASE WHEN s.account_id = r.account_id AND ${sessionLives('s', 'u')} THEN 1 ELSE 0 END AS session_lives
  FROM provider_records r LEFT JOIN users u ON u.id = r.account_id
  LEFT JOIN provider_records g ON g.model = 'Grant' AND g.id_digest = r.grant_digest
  LEFT JOIN sessions s ON s.uid_digest = r.session_digest
  WHERE r.model = ? AND r.id_digest = ? AND ${recordLives('r', 'u')}`;

/** A live code or token, with the person, the grant and the session that it rests on. */
export async function liveToken(
  db: Database,
  model: string,
  idDigest: string,
  now: Date,
): Promise<TokenRow | null> {
  const at = now.getTime();
  const values = [at, ...sessionLivesAt(now), model, idDigest, at];
  const answer = await db.row<Record<string, Value>>(tokenQuestion, values);
  return (
    answer && {
      token: record.of(answer),
      holder: answer.u_id === null ? null : holder.of(answer),
      grant: answer.grant_lives === 1 ? grant.of(answer) : null,
      session: answer.session_lives === 1 ? session.of(answer) : null,
    }
  );
}

/** A sign-in under way as oidc-provider keeps it, what it has proved, and the application that it is for. */
export interface InteractionRow {
  readonly interaction: ProviderRecordRow;
  /** Null where nothing was proved yet. */
  readonly signIn: FoundSignInRow | null;
  /** Null where the application is gone, or has no row. */
  readonly application: FoundApplicationRow | null;
}

const signIn = part<SignInRow>('s', 's', signInColumns);
const application = part<ApplicationRow>('a', 'a', applicationColumns);
const organization = part<{ name: string | null; slug: string | null; branding: string | null }>('o', 'o', {
  name: true,
  slug: true,
  branding: true,
});

const interactionQuestion = `SELECT ${record.columns}, ${signIn.columns}, ${signInDead('s', 'su')} AS s_dead,
    ${application.columns}, ${organization.columns}
  FROM provider_records r LEFT JOIN users u ON u.id = r.account_id
  LEFT JOIN sign_ins s ON s.uid_digest = r.id_digest LEFT JOIN users su ON su.id = s.account_id
  LEFT JOIN applications a ON a.client_id = r.client_id LEFT JOIN organizations o ON o.id = a.organization_id
  WHERE r.model = 'Interaction' AND r.id_digest = ? AND ${recordLives('r', 'u')}`;

export async function liveInteraction(
  db: Database,
  idDigest: string,
  now: Date,
): Promise<InteractionRow | null> {
  const answer = await db.row<Record<string, Value>>(interactionQuestion, [idDigest, now.getTime()]);
  if (!answer) {
    return null;
  }
  const { name, slug, branding } = organization.of(answer);
  return {
    interaction: record.of(answer),
    signIn: answer.s_uid_digest === null ? null : { ...signIn.of(answer), dead: Number(answer.s_dead) },
    application:
      answer.a_client_id === null
        ? null
        : {
            ...application.of(answer),
            organization_name: name,
            organization_slug: slug,
            organization_branding: branding,
          },
  };
}
