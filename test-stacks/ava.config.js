/** Apart from `npm test`: these need programs that Debian has and npm has not. */
export default {
  files: ['test-stacks/**/*.test.ts'],
  extensions: ['ts'],
  timeout: '5m',
  serial: true,
};
