import { checkHealth } from '../flows/check-health.ts';

/** `sallyport doctor`: one line for each check; exit 1 where something is wrong. */
export async function doctor(): Promise<void> {
  const checks = await checkHealth(process.env);
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, verdict, message } of checks) {
    console.log(`${verdict.padEnd(4)}  ${name.padEnd(width)}  ${message}`);
  }
  // A mail server that does not answer would keep the process for as long as its connection lasts.
  process.exit(checks.some(({ verdict }) => verdict === 'fail') ? 1 : 0);
}
