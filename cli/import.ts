import { writeFileSync } from 'node:fs';
import { readSettings } from '../config/settings.ts';
import { type Imported, importKeycloak, readKeycloak } from '../flows/import-keycloak.ts';
import type { LeftBehind } from '../flows/keycloak-realm.ts';
import { openKeyRing } from '../lib/key-ring.ts';
import { createPasswords } from '../lib/password-hash.ts';
import { createWorkQueue } from '../lib/work-queue.ts';
import { compareWith, readGiven, type Task, writeTo } from './apply.ts';
import { differenceLines, summaryLines } from './difference-lines.ts';
import { createProgressLine } from './progress-line.ts';
import { CommandError } from './readable-error.ts';

interface Options {
  readonly organization?: string;
  readonly owner: readonly string[];
  readonly admin: readonly string[];
  readonly realm?: string;
  readonly keycloakHost?: string;
  readonly report?: string;
  readonly dryRun?: boolean;
}

/** `sallyport import keycloak REALM.json … [--organization SLUG] [--dry-run]` */
export async function importRealm(files: readonly string[], options: Options): Promise<void> {
  const settings = readSettings(process.env);
  const ring = openKeyRing(settings.secretKeys);
  const { organization = null, realm = null, keycloakHost = null, dryRun = false } = options;
  if (organization !== null && !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(organization)) {
    throw new CommandError(
      `--organization must be 1 to 63 small letters, digits and inner hyphens, found "${organization}"`,
    );
  }
  const given = await Promise.all(files.map(readGiven));
  const progress = createProgressLine(process.stderr);
  let imported: Imported;
  try {
    progress.show({ stage: 'reading', done: 0, total: 0 });
    const read = readKeycloak(given, {
      organization,
      realm,
      owners: options.owner,
      admins: options.admin,
      rpId: new URL(settings.issuer).hostname,
      keycloakHost,
    });
    const task: Task<Imported> = {
      checkAlone: () => {},
      run: (db, more) =>
        importKeycloak({ db, ring, passwords: createPasswords(createWorkQueue()) }, read, more),
    };
    const work = { settings, ring, progress };
    imported = dryRun ? await compareWith(work, task) : await writeTo(work, task);
  } finally {
    progress.end();
  }
  if (options.report !== undefined) {
    writeFileSync(options.report, `${JSON.stringify(imported.left, null, 2)}\n`, { mode: 0o600 });
  }
  console.log(
    [
      ...(dryRun ? differenceLines(imported) : []),
      ...summaryLines(imported, dryRun),
      ...leftLines(imported.left),
    ].join('\n'),
  );
  for (const warning of imported.warnings) {
    console.error(`Warning: ${warning}`);
  }
}

const shownNames = 5;

/** What stays behind, for the same reason in one line, with the first who are concerned. */
export function leftLines(left: readonly LeftBehind[]): string[] {
  const groups = Map.groupBy(left, ({ what, why }) => `${what.replaceAll(/ "[^"]*"/g, '')}: ${why}`);
  return [...groups].map(([reason, all]) => {
    const names = [...new Set(all.flatMap(({ who }) => who ?? []))];
    const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : '';
    return `Not taken: ${reason}${names.length === 0 ? '' : ` (${names.slice(0, shownNames).join(', ')}${more})`}`;
  });
}
