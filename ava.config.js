import oneRun from './test/one-run.js';

/** Those that take longest, longest first: begun last, one of them would run alone at the end. */
const slow = [
  'configuration/apply',
  'views/look',
  'processes/kill',
  'front-door/sessions',
  'cli/sallyport',
  'front-door/pages',
  'front-door/policy',
  'front-door/codes',
  'front-door/remembered',
  'front-door/assurance',
  'processes/',
  'front-door/api',
  'front-door/passkeys',
  'front-door/steps',
  'front-door/upstream',
  'keycloak/',
  'browser/',
];

const place = (file) => {
  const index = slow.findIndex((name) => file.includes(`/test/${name}`));
  return index === -1 ? slow.length : index;
};

export default {
  files: ['test/**/*.test.ts'],
  extensions: ['ts'],
  ...oneRun,
  timeout: '2m',
  sortTestFiles: (one, other) => place(one) - place(other) || one.localeCompare(other),
};
