import { readSettings } from '../config/settings.ts';

/** `sallyport start`: the server is loaded only here, so that the other commands are quick. */
export async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const server = await import('../start.ts');
  await server.start(settings);
}
