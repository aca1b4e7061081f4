import environmentVariables from '../test/configuration/one-run.js';

export default {
  files: ['test-faults/**/*.test.ts'],
  extensions: ['ts'],
  environmentVariables,
  timeout: '30m',
  serial: true,
};
