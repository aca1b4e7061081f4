export default {
  files: ['test-faults/**/*.test.ts'],
  extensions: ['ts'],
  timeout: '30m',
  serial: true,
};
