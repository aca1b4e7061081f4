import oneRun from '../test/one-run.js';

/** Apart from `npm test`: these need a real Keycloak, which `npm run test:keycloak` fetches and starts. */
export default {
  files: ['test-keycloak/**/*.test.ts'],
  extensions: ['ts'],
  ...oneRun,
  timeout: '5m',
  concurrency: 1,
};
