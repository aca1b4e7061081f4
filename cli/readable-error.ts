import { ConfigurationError } from '../config/configuration-document.ts';
import { SettingsError } from '../config/settings.ts';
import { ConfigurationConflict } from '../flows/apply-configuration.ts';
import { WrongKeysError } from '../flows/check-keys.ts';

/** A sentence for people: what did not work and what to do. Shown without a stack. */
export class CommandError extends Error {
  override name = 'CommandError';
}

const readable = [CommandError, ConfigurationError, ConfigurationConflict, SettingsError, WrongKeysError];

/** Says on stderr what went wrong and ends with exit code 1; what nobody expected comes with its stack. */
export function failWith(error: unknown): never {
  console.error(textOf(error));
  process.exit(1);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (readable.some((kind) => error instanceof kind)) return error.message;
  // The port is taken, the database is away: the system's own words are enough.
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined || (code !== undefined && /^(E[A-Z]{3,}|PROTOCOL_)/.test(code))) {
    return error.message || String(code);
  }
  // A failed query carries its values, and they may be secrets: nothing but the message and the stack is printed.
  return error.stack ?? error.message;
}
