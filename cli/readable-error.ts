/** A sentence for people: what did not work and what to do. Shown without a stack. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/** Errors whose message is written for people; by name, so that none of their files is loaded for it. */
const readable: ReadonlySet<string> = new Set([
  'CommandError',
  'RealmError',
  'ConfigurationError',
  'ConfigurationConflict',
  'SettingsError',
  'WrongKeysError',
  'DatabaseUnreachable',
  'SchemaTooNew',
  'WorkerEnded',
]);

/** Says on stderr what went wrong and ends with exit code 1; what nobody expected comes with its stack. */
export function failWith(error: unknown): never {
  console.error(textOf(error));
  process.exit(1);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (readable.has(error.name)) return error.message;
  // The port is taken, the database is away: the system's own words are enough.
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined || (code !== undefined && /^(E[A-Z]{3,}|PROTOCOL_)/.test(code))) {
    return error.message || String(code);
  }
  // A failed query carries its values, and they may be secrets: nothing but the message and the stack is printed.
  return error.stack ?? error.message;
}
