import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { base, by, option } from './samples.ts';

/** Invitations, in every state. */
export function inviteGallery(shared: FramedPage): readonly GalleryPage[] {
  const invite = {
    ...shared,
    action: `${base}/members-invite`,
    note: null,
    email: '',
    name: '',
    emailError: null,
    again: null,
    waitingMore: 0,
    roles: [option('member', 'Member', true), option('admin', 'Admin'), option('owner', 'Owner')],
    importing: `${base}/members-import`,
    csv: '',
    csvError: null,
    plan: null,
    going: null,
    waiting: [
      {
        email: 'tom@acme.test',
        role: 'Member',
        until: by,
        sent: { name: 'Tom Weiss', role: 'member' },
        revoke: `${base}/members-invite/1/revoke`,
      },
    ],
    back: `${base}/members`,
  } as const;

  return [
    { name: 'organizations/invite', state: 'one waits', locals: invite },
    {
      name: 'organizations/invite',
      state: 'after a fresh proof, list too long',
      locals: {
        ...invite,
        note: {
          tone: 'warn',
          text: 'You have confirmed that it is you. What you entered was not kept: enter it once more.',
        },
      },
    },
    {
      name: 'organizations/invite',
      state: 'invited already',
      locals: {
        ...invite,
        email: 'tom@acme.test',
        emailError: 'An invitation to this address is open already.',
        again: 'tom@acme.test',
        waitingMore: 12,
      },
    },
    {
      name: 'organizations/invite',
      state: 'wrong',
      locals: {
        ...invite,
        email: 'tom',
        emailError: 'This is no e-mail address.',
        csvError:
          'No e-mail addresses were found. Put one on each line, or name the columns in the first line: email, name, role.',
        waiting: [],
      },
    },
    {
      name: 'organizations/invite',
      state: 'list with errors',
      locals: {
        ...invite,
        csv: 'email,name,role',
        plan: {
          count: 501,
          left: 3,
          fresh: [{ email: 'tom@acme.test', name: 'Tom Weiss', role: 'Member' }],
          wrong: [
            { line: 3, text: 'nonsense', why: 'This is no e-mail address.' },
            { line: 4, text: 'ada@acme.test', why: 'This person is a member already.' },
            { line: 4, text: 'uwe@acme.test', why: 'An invitation to this address is open already.' },
            { line: 5, text: 'tom@acme.test', why: 'This address stands here twice.' },
            { line: 6, text: 'eve@acme.test, Eve, king', why: 'The role must be owner, admin or member.' },
            { line: 7, text: 'eve@acme.test, Eve, owner', why: 'You cannot give a role above your own.' },
            {
              line: 8,
              text: 'kim@acme.test',
              why: 'This address has had several invitations. Wait a while.',
            },
            {
              line: 502,
              text: 'zoe@acme.test',
              why: 'At most 10000 people in one list. Import the rest afterwards.',
            },
          ],
        },
      },
    },
  ];
}
