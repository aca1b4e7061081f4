import { Command } from 'commander';
import { failWith } from './readable-error.ts';

// `sallyport export | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// Each command loads what it needs itself: `start` need not read YAML, and help needs no database.
const program = new Command('sallyport')
  .description('An OpenID Connect provider that puts a second factor after the first.')
  .showHelpAfterError()
  .showSuggestionAfterError();

program
  .command('start')
  .description('start the server')
  .action(async () => (await import('./start.ts')).start());

program
  .command('migrate')
  .description('bring the database schema up to date')
  .option('--check', 'only say what is pending; exit 1 where something is')
  .action(async (options) => (await import('./migrate.ts')).migrateSchema(options));

program
  .command('apply')
  .description('create or update what a YAML or JSON file describes')
  .requiredOption('-f, --file <file>', 'the file; - for standard input')
  .option('--dry-run', 'print the difference and change nothing')
  .action(async (options) => (await import('./apply.ts')).apply(options));

program
  .command('export')
  .description('print the configuration in the form that apply reads')
  .option('--organization <slug>', 'only this organization, its members and applications')
  .option('--with-secrets', 'with password hashes, client secrets and authenticator secrets')
  .option('--format <format>', 'yaml or json', 'yaml')
  .action(async (options) => (await import('./export.ts')).exportFile(options));

program
  .command('registration-token')
  .description('print a token with which programs may register applications (RFC 7591)')
  .option('--organization <slug>', 'for applications of this organization; without it, of the instance')
  .option('--days <days>', 'for how long it is good', '1')
  .action(async (options) => (await import('./registration-token.ts')).registrationToken(options));

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

const keys = program.command('keys').description('the keys that sign tokens');
keys
  .command('rotate')
  .description(
    'make new keys: published now, signing a day later; the old ones stay until their last token has expired',
  )
  .option(
    '--at-once',
    'a key is known to others: the new ones sign now, and nothing that the old ones signed is believed',
  )
  .action(async (options) => (await import('./keys.ts')).rotateKeys(options));

const secrets = program.command('secrets').description('what is stored sealed');
secrets
  .command('rotate')
  .description('seal everything again under the first key of SECRET_KEYS, while servers run')
  .action(async () => (await import('./secrets.ts')).rotateSecrets());

const imports = program.command('import').description('take over people from another system');
imports
  .command('keycloak <files...>')
  .description("people and organizations of a realm, as Keycloak's export has them; all or nothing")
  .option(
    '--organization <slug>',
    'everybody becomes a member of this one, which is made where it is not there',
  )
  .option(
    '--owner <group>',
    'a group or role of the realm whose members become owners; may be repeated',
    collect,
    [],
  )
  .option('--admin <group>', 'the same for admins', collect, [])
  .option('--realm <name>', 'which realm, where the files have several')
  .option('--keycloak-host <name>', 'where Keycloak was reached, for passkeys of realms that do not say')
  .option('--report <file>', 'write all that was not taken there, as JSON')
  .option('--dry-run', 'print the difference and change nothing')
  .action(async (files, options) => (await import('./import.ts')).importRealm(files, options));

const keycloak = program.command('keycloak').description('beside Keycloak');
keycloak
  .command('broker-config')
  .description('print what Keycloak imports to broker to this server, and what this server applies for it')
  .requiredOption('--realm <name>', 'the realm')
  .requiredOption('--keycloak <url>', 'where Keycloak is, such as https://keycloak.example.com')
  .option(
    '--for <side>',
    'keycloak (identity provider and mappers), scope (its client scope) or sallyport',
    'keycloak',
  )
  .option('--alias <alias>', 'of the identity provider', 'sallyport')
  .option('--client-id <id>', 'of Keycloak at this server; without it keycloak-<realm>')
  .option(
    '--client-secret-file <file>',
    "a shared secret; without it Keycloak proves itself by its realm's key",
  )
  .option('--organization <slug>', 'that the application belongs to; without it, shared by all')
  .action(async (options) => (await import('./keycloak.ts')).keycloakBrokerConfig(options));

program
  .command('doctor')
  .description('check settings, database, mail, clock and reachability; exit 1 where something is wrong')
  .action(async () => (await import('./doctor.ts')).doctor());

program
  .command('code [secret]')
  .description(
    "print the code that an authenticator app shows now; without a secret, that of the demo's people",
  )
  .action(async (secret) => (await import('./code.ts')).showCode(secret));

try {
  await program.parseAsync();
} catch (error) {
  failWith(error);
}
