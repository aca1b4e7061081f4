import { createServer } from 'node:http';
import { readSettings } from '../config/settings.ts';
import { type Database, openDatabase, type Statement } from '../entities/database.ts';
import { createApp } from '../server.ts';

/**
 * Sallyport with a counter around its database, as a process of its own, so that the product itself has none. Told anything by its
 * parent, it answers with the statements since the last time; `BEGIN … COMMIT` stands for what goes around a batch.
 */
const settings = readSettings(process.env);
const db = await openDatabase(settings.databaseUrl, { tls: settings.databaseTls });
let statements: string[] = [];

const note = (sql: string): void => {
  statements.push(sql.replace(/\s+/g, ' ').trim());
};
const counted: Database = {
  ...db,
  rows: (sql, values) => {
    note(sql);
    return db.rows(sql, values);
  },
  row: (sql, values) => {
    note(sql);
    return db.row(sql, values);
  },
  change: (sql, values) => {
    note(sql);
    return db.change(sql, values);
  },
  together: (batch: readonly Statement[]) => {
    note('BEGIN … COMMIT');
    for (const { sql } of batch) note(sql);
    return db.together(batch);
  },
};

const app = await createApp(settings, counted);
process.on('message', () => {
  process.send?.(statements);
  statements = [];
});
createServer(app.handle).listen(settings.port, settings.host, () => {
  console.log(`counted Sallyport ready at ${settings.issuer}`);
});
process.once('SIGTERM', () => process.exit());
