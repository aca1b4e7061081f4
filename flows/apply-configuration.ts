import { auditEvent } from '../audit/audit.ts';
import { type ConfigurationDocument, type Problem, readDocument } from '../config/configuration-document.ts';
import { type StoredConfiguration, storedConfiguration } from '../entities/configuration.ts';
import type { Database, Statement } from '../entities/database.ts';
import {
  type Difference,
  type DifferenceServices,
  findDifference,
  type Kind,
} from './configuration-difference.ts';
import { type Configuration, readShape } from './configuration-file.ts';
import { checkReferences, emailsIn } from './configuration-references.ts';

export type { Change, FieldChange, Kind } from './configuration-difference.ts';

export interface ConfigurationText {
  /** Its name in messages. */
  readonly name: string;
  /** YAML or JSON. */
  readonly text: string;
}

/** What is being done, and how far; `total` 0 where that cannot be said. */
export interface Progress {
  readonly stage: 'reading' | 'users' | 'writing';
  readonly done: number;
  readonly total: number;
}

export interface ApplyOptions {
  /** Find the difference and write nothing. */
  readonly dryRun?: boolean;
  /** People, organizations and what belongs to them stay as they are where they exist: only memberships are added. */
  readonly keepExisting?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Applied {
  readonly changes: Difference['changes'];
  readonly unchanged: Difference['unchanged'];
  /** What was applied although the pages would refuse it. */
  readonly warnings: readonly string[];
}

/** Somebody else has changed the same things while the file was being applied. Nothing of it was written. */
export class ConfigurationConflict extends Error {
  override name = 'ConfigurationConflict';
  constructor(source: string) {
    super(
      `${source} was not applied, nothing has been changed: what it describes was being changed by somebody else at the same time. Run it again.`,
    );
  }
}

/** A file that was read once, with what is wrong with its form. */
export interface OpenedConfiguration {
  readonly document: ConfigurationDocument;
  readonly configuration: Configuration | null;
  readonly problems: readonly Problem[];
}

/** @throws ConfigurationError where the text is no YAML and no JSON */
export function openConfiguration({ name, text }: ConfigurationText): OpenedConfiguration {
  const document = readDocument(name, text);
  return { document, ...readShape(document) };
}

/** @throws ConfigurationError with everything that is wrong with the file where nothing is stored yet */
export function checkAgainstNothing(opened: OpenedConfiguration): void {
  check(opened, {
    instancePolicy: null,
    registration: null,
    organizations: [],
    applications: [],
    users: [],
    memberships: [],
    factors: [],
    providers: [],
    domains: [],
  });
}

function check({ document, configuration, problems }: OpenedConfiguration, stored: StoredConfiguration) {
  document.refuse([...problems, ...newOnes(problems, checkReferences(document, stored))]);
  if (!configuration) {
    throw new Error('a configuration without problems was not read');
  }
  return configuration;
}

/**
 * Creates or updates what a YAML or JSON file describes: all of it or nothing. Applying the same file again changes nothing.
 *
 * @throws ConfigurationError with everything that is wrong with the file
 * @throws ConfigurationConflict where another apply, or a page, was faster
 */
export async function applyConfiguration(
  services: DifferenceServices,
  file: ConfigurationText | OpenedConfiguration,
  { dryRun = false, keepExisting = false, onProgress = () => {} }: ApplyOptions = {},
): Promise<Applied> {
  const { db } = services;
  onProgress({ stage: 'reading', done: 0, total: 0 });
  const opened = 'document' in file ? file : openConfiguration(file);
  const { source, value } = opened.document;
  const stored = await storedConfiguration(db, emailsIn(value));
  const configuration = check(opened, stored);

  const total = configuration.users?.length ?? 0;
  const how = { makeSecrets: !dryRun, keepExisting };
  const difference = await findDifference(services, configuration, stored, how, (done) => {
    onProgress({ stage: 'users', done, total });
  });
  const { changes, unchanged, warnings, statements } = difference;
  if (!dryRun && statements.length > 0) {
    onProgress({ stage: 'writing', done: 0, total: 0 });
    await write(services, source, [...statements, ...events(db, source, difference, stored)]);
  }
  return { changes, unchanged, warnings };
}

/** One event for all that was changed, and one for each organization that was there already, of what was changed in it. */
function events(
  db: Database,
  source: string,
  { changes, concerning }: Difference,
  { organizations }: StoredConfiguration,
): Statement[] {
  const nobody = { ip: null, userAgent: null };
  const event = (organizationId: string | null, of: Difference['changes']) =>
    auditEvent(db, nobody, {
      type: 'configuration.applied',
      organizationId,
      data: { source: source.slice(0, 200), ...counts(of) },
    });
  const perOrganization = organizations.flatMap(({ id }) => {
    const own = concerning.get(id);
    return own ? [event(id, own)] : [];
  });
  return [event(null, changes), ...perOrganization];
}

/** A value of the wrong form is said once, not once more because it fits nothing. */
const newOnes = (known: readonly Problem[], more: readonly Problem[]): Problem[] =>
  more.filter(
    ({ path }) => !known.some((problem) => path.every((step, index) => problem.path[index] === step)),
  );

async function write(
  { db }: DifferenceServices,
  source: string,
  statements: Difference['statements'],
): Promise<void> {
  let isWritten: boolean;
  try {
    isWritten = await db.together(statements);
  } catch (error) {
    if (isConflict(error)) throw new ConfigurationConflict(source);
    throw error;
  }
  if (!isWritten) throw new ConfigurationConflict(source);
}

const sqliteConflicts = new Set([5, 6, 261, 517, 1555, 2067]);
const mysqlConflicts = new Set(['ER_DUP_ENTRY', 'ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD']);

/** A key that exists already, or a lock that somebody else holds. */
function isConflict(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return mysqlConflicts.has(String(code)) || sqliteConflicts.has(Number(errcode));
}

function counts(changes: Difference['changes']): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { kind, what } of changes) {
    const name = `${what satisfies Kind}_${kind}`;
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}
