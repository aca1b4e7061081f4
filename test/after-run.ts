/** Started by one-run.js: removes the databases that one run of the tests has shared. */
import { removeSharedDatabases } from './configuration/shared-databases.ts';

await removeSharedDatabases();
