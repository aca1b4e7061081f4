import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { base, option, problem } from './samples.ts';

/** Applications, in every state. */
export function applicationsGallery(shared: FramedPage): readonly GalleryPage[] {
  const application = {
    ...shared,
    clientId: 'qL2bT0cVtQ',
    name: 'Flight Planner',
    action: `${base}/applications/qL2bT0cVtQ`,
    check: `${base}/applications-check`,
    form: {
      name: 'Flight Planner',
      redirectUris: 'https://planner.acme.test/callback',
      logoutUris: '',
      kind: [
        option(
          'confidential',
          'On a server',
          true,
          'It can keep a secret, and sends it in a header. Most programs do.',
        ),
        option(
          'confidential_post',
          'On a server, secret in the form',
          false,
          'For programs that send client_secret in the request itself, such as WordPress and Nextcloud.',
        ),
        option(
          'public',
          'In a browser or on a device',
          false,
          'It cannot keep a secret, and uses PKCE alone.',
        ),
      ],
      assurance: [
        option('none', 'Nothing more', true, 'What the organization asks for is enough.'),
        option(
          'second_factor',
          'A second factor',
          false,
          'In this session, however long ago; a remembered device is not enough.',
        ),
        option(
          'fresh_second_factor',
          'A fresh second factor',
          false,
          'At every sign-in to this application.',
        ),
        option('passkey', 'A passkey', false, 'With fingerprint, face or PIN.'),
      ],
      isFirstParty: true,
      errors: { name: null, redirectUris: null, logoutUris: null },
    },
    version: '1',
    note: null,
    secret: null,
    rotate: `${base}/applications/qL2bT0cVtQ/secret`,
    remove: `${base}/applications/qL2bT0cVtQ/remove`,
    test: 'https://id.acme.test/auth?client_id=qL2bT0cVtQ',
    settings: [
      { label: 'Client ID', value: 'qL2bT0cVtQ' },
      { label: 'Issuer', value: 'https://id.acme.test' },
      { label: 'Discovery document', value: 'https://id.acme.test/.well-known/openid-configuration' },
      { label: 'Authorization endpoint', value: 'https://id.acme.test/auth' },
      { label: 'Token endpoint', value: 'https://id.acme.test/token' },
      { label: 'Scopes', value: 'openid email profile' },
    ],
    recipes: [
      {
        name: 'Nextcloud (user_oidc)',
        redirect: 'https://NEXTCLOUD/apps/user_oidc/code',
        hint: 'It sends its secret in the form: choose that under "Where it runs".',
        lines: 'php occ user_oidc:provider Sallyport',
      },
      {
        name: 'openid-client (Node)',
        redirect: null,
        hint: null,
        lines: "import * as oidc from 'openid-client';",
      },
    ],
    cancel: `${base}/applications`,
  } as const;

  return [
    {
      name: 'organizations/applications',
      state: 'some',
      locals: {
        ...shared,
        add: `${base}/applications-new`,
        rows: [
          {
            url: `${base}/applications/x`,
            name: 'Flight Planner',
            clientId: 'qL2bT0cVtQ',
            assurance: 'A passkey',
            isShared: false,
          },
          {
            url: `${base}/applications/y`,
            name: 'Mail',
            clientId: 'mail',
            assurance: 'Nothing more',
            isShared: true,
          },
        ],
      },
    },
    {
      name: 'organizations/applications',
      state: 'none',
      locals: { ...shared, add: `${base}/applications-new`, rows: [] },
    },
    { name: 'organizations/application', state: 'registered', locals: application },
    {
      name: 'organizations/application',
      state: 'new secret',
      locals: { ...application, secret: 'cHmNN0zvVw8rFHmQm3Cq6dYyNUXy2mCvZQ5t1l8kYJk' },
    },
    {
      name: 'organizations/application',
      state: 'changed meanwhile',
      locals: {
        ...application,
        note: {
          tone: 'danger',
          text: 'Somebody else has changed this application since you opened it. Nothing of yours was saved. This is how it is now.',
        },
      },
    },
    {
      name: 'organizations/application',
      state: 'new, wrong',
      locals: {
        ...application,
        clientId: null,
        name: '',
        form: {
          ...application.form,
          errors: {
            name: 'Enter a name of at most 200 characters.',
            redirectUris: problem,
            logoutUris: problem,
          },
        },
        rotate: null,
        remove: null,
        test: null,
        settings: [],
        recipes: [],
      },
    },
  ];
}
