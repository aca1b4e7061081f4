import type { Applied, Change, FieldChange, Kind } from '../flows/apply-configuration.ts';

const kinds: readonly Kind[] = ['instance', 'organizations', 'users', 'applications', 'providers'];
const one = {
  instance: 'instance',
  organizations: 'organization',
  users: 'user',
  applications: 'application',
  providers: 'provider',
};

/** `+` for what would be created, `~` for what would change, with each value before and after; never a secret. */
export const differenceLines = ({ changes }: Applied): string[] =>
  changes.flatMap((change) => [
    `${change.kind === 'created' ? '+' : '~'} ${one[change.what]} ${change.name}`,
    ...change.fields.map((field) => `    ${fieldLine(change, field)}`),
  ]);

function fieldLine({ kind }: Change, field: FieldChange): string {
  if (field.kind === 'secret') return `${field.name}: ${kind === 'created' ? 'set' : 'changed'} (not shown)`;
  const { name, before, after } = field;
  return kind === 'created' ? `${name}: ${shown(after)}` : `${name}: ${shown(before)} → ${shown(after)}`;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return `[${value.join(', ')}]`;
  return JSON.stringify(value);
}

/** One line for each kind of thing: how many were created, changed and left as they are. */
export function summaryLines({ changes, unchanged }: Applied, dryRun: boolean): string[] {
  const rows = kinds.flatMap((what) => {
    const created = changes.filter((change) => change.what === what && change.kind === 'created').length;
    const changed = changes.filter((change) => change.what === what && change.kind === 'changed').length;
    const same = unchanged[what];
    return created + changed + same === 0
      ? []
      : [`${dryRun ? '= ' : ''}${what}: ${created} created, ${changed} changed, ${same} unchanged`];
  });
  const end = dryRun
    ? ['Nothing was changed (--dry-run).']
    : changes.length === 0
      ? ['Nothing had to be changed.']
      : [];
  return [...rows, ...end];
}
