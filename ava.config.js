import oneRun from './test/one-run.js';

/** Those that take longest, longest first: begun last, one of them would run alone at the end. */
const slow = [
  'front-door/policy',
  'views/look',
  'front-door/passkeys',
  'front-door/codes',
  'front-door/pages',
  'front-door/email-codes',
  'front-door/steps',
  'front-door/assurance',
  'cli/sallyport',
  'front-door/remembered',
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
