import oneRun from '../test/one-run.js';

/** Apart from `npm test`: these need programs that Debian has and npm has not. */
export default {
  files: ['test-stacks/**/*.test.ts'],
  extensions: ['ts'],
  ...oneRun,
  timeout: '5m',
  serial: true,
};
