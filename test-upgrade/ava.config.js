import oneRun from '../test/one-run.js';

export default {
  files: ['test-upgrade/**/*.test.ts'],
  extensions: ['ts'],
  ...oneRun,
  timeout: '10m',
  serial: true,
};
