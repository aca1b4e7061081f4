import oneRun from '../test/one-run.js';

export default {
  files: ['test-faults/**/*.test.ts'],
  extensions: ['ts'],
  ...oneRun,
  timeout: '30m',
  serial: true,
};
