import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { DatabaseTls } from '../../config/settings.ts';
import { openDatabase } from '../../entities/database.ts';
import { serverTime } from '../../entities/mysql.ts';
import { checkHealth } from '../../flows/check-health.ts';
import { freshDir, kinds } from '../configuration/fresh-database.ts';
import { canStartMariadb, mariadbServer } from './mariadb-server.ts';
import { place } from './process-rig.ts';

/** Certificates as an operator makes them: an authority of one's own, a server's, one for another name, and a client's. */
function certificates(dir: string): (name: string) => string {
  const file = (name: string) => path.join(dir, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const name of ['ca', 'other-ca']) {
    openssl(
      ...['req', '-x509', ...ec, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2'],
      ...['-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE'],
    );
  }
  for (const [name, alternative] of [
    ['server', 'IP:127.0.0.1,DNS:localhost'],
    ['elsewhere', 'DNS:elsewhere.test'],
    ['client', 'DNS:sallyport.test'],
  ] as const) {
    writeFileSync(file(`${name}.ext`), `subjectAltName=${alternative}`);
    openssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    );
  }
  return file;
}

if (kinds.includes('MariaDB')) {
  test('the line to the database is encrypted where that is asked for, its certificate and name are verified, and nothing is said to a server that is not the right one or has no TLS', async (t) => {
    if (!canStartMariadb()) {
      t.is(process.env.CI, undefined, 'mariadbd is not installed');
      t.pass();
      return;
    }
    const file = certificates(freshDir(t));
    const shown = (name: string) => [`--ssl-cert=${file(`${name}.pem`)}`, `--ssl-key=${file(`${name}.key`)}`];
    const server = await mariadbServer(t, [`--ssl-ca=${file('ca.pem')}`, ...shown('server')]);
    const at = await place(t, 'MariaDB', { own: server.url });

    // While one is there whose time zone has summer time: the clock that all go by has neither a gap nor an hour twice (T151).
    for (const moment of [
      Date.UTC(2026, 9, 25, 0, 30),
      Date.UTC(2026, 9, 25, 1, 30),
      Date.UTC(2026, 2, 29, 1),
    ]) {
      const answers = (await server.admin(`SET timestamp = ${moment / 1000}.123; ${serverTime}`)) as [
        unknown,
        [{ ms: number }],
      ];
      t.is(Number(answers[1][0].ms), moment + 123, new Date(moment).toISOString());
    }

    const pem = (name: string) => readFileSync(file(name), 'utf8');
    const believing = (name: string | null, own: string | null = null): DatabaseTls => ({
      authorities: name === null ? null : [pem(`${name}.pem`)],
      certificate: own === null ? null : pem(`${own}.pem`),
      key: own === null ? null : pem(`${own}.key`),
    });
    const byName = server.url.replace('127.0.0.1', 'localhost');
    /** What is wrong with the line, or null where it was opened. */
    const problem = async (tls: DatabaseTls | null, url = server.url): Promise<string | null> => {
      try {
        await (await openDatabase(url, { tls })).close();
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    };

    await server.admin("ALTER USER sallyport@'%' REQUIRE SSL");
    t.regex((await problem(null)) ?? '', /Access denied/, 'the server wants TLS');
    t.regex((await problem(believing(null))) ?? '', /certificate/, 'an authority that Node does not know');
    t.regex((await problem(believing('other-ca'))) ?? '', /certificate/, 'another authority');
    for (const url of [server.url, byName]) t.is(await problem(believing('ca'), url), null);

    // One that this server shows of itself.
    await server.admin("ALTER USER sallyport@'%' REQUIRE SUBJECT '/CN=client'");
    t.regex((await problem(believing('ca'))) ?? '', /Access denied/, 'it wants to know who we are');
    const running = await at.start(0, {
      DATABASE_CA_FILE: file('ca.pem'),
      DATABASE_CERTIFICATE_FILE: file('client.pem'),
      DATABASE_KEY_FILE: file('client.key'),
    });
    t.is((await fetch(`${running.url}/readyz`)).status, 200);
    const checks = await checkHealth({
      ...at.env,
      DATABASE_CA_FILE: file('ca.pem'),
      DATABASE_CERTIFICATE_FILE: file('client.pem'),
      DATABASE_KEY_FILE: file('client.key'),
    });
    const line = checks.find(({ name }) => name === 'database line');
    t.is(line?.verdict, 'ok');
    t.regex(line?.message ?? '', /^TLSv1\.[23], .*the certificate is for 127\.0\.0\.1/);

    // The name in the certificate is another's; then there is no TLS at all.
    await server.admin("ALTER USER sallyport@'%' REQUIRE NONE");
    await server.stop();
    for (const [what, options, reason] of [
      ['another name', shown('elsewhere'), /elsewhere\.test|does not match/],
      ['no TLS', ['--skip-ssl'], /secure connection|SSL/i],
    ] as const) {
      await server.start(options);
      for (const url of [server.url, byName]) {
        t.regex((await problem(believing('ca'), url)) ?? '', reason, `${what}: ${url}`);
      }
      const left = await fetch(`${running.url}/readyz`);
      t.is(left.status, 503, 'and a server that runs does not fall back');
      t.is((await fetch(`${running.url}/auth?client_id=app`)).status, 503, what);
      await server.stop();
    }
  });
}
