import type { Section } from '../http/signed-in-page.ts';

/** The account's pages, as the navigation lists them. */
export const section: Section = {
  name: 'Your account',
  pages: [
    { label: 'Security', path: '/account' },
    {
      label: 'Approvals',
      path: '/account/approvals',
      // It asks for a second factor: whoever has no approver would be led into a set-up by looking.
      isFor: ({ factors }) => factors.some(({ method }) => method === 'device'),
    },
    { label: 'Sessions', path: '/account/sessions' },
    { label: 'Sign-in history', path: '/account/history' },
    { label: 'Applications', path: '/account/applications' },
    { label: 'Organizations', path: '/account/organizations' },
    { label: 'Profile', path: '/account/profile' },
  ],
};
