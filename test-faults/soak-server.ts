import { createServer } from 'node:http';
import { readSettings } from '../config/settings.ts';
import { migrate, openDatabase } from '../entities/database.ts';
import { jobsOf } from '../jobs/index.ts';
import { startJobs } from '../jobs/schedule.ts';
import { seconds } from '../lib/clock.ts';
import { createLog } from '../lib/log.ts';
import { createApp } from '../server.ts';
import { soakClock } from './soak-clock.ts';

/** Sallyport as it is, jobs and outbox with it, but for its clock, by which weeks pass in minutes. */
const settings = readSettings(process.env);
const db = await openDatabase(settings.databaseUrl, { clock: soakClock(process.env) });
await migrate(db);
const log = createLog(settings);
const app = await createApp(settings, db, log);
app.courier.start();
startJobs(db, jobsOf(app.services), log, seconds(2));
createServer(app.handle).listen(settings.port, settings.host, () => {
  console.log(`Sallyport ready at ${settings.issuer}`);
});
