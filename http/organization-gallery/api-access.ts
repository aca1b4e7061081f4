import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { base } from './samples.ts';

/** Programs that may use the management API, in every state. */
export function apiAccessGallery(shared: FramedPage): readonly GalleryPage[] {
  const list = {
    ...shared,
    add: `${base}/api-access-new`,
    document: '/api/openapi.json',
    address: 'https://id.acme.test/api/v1/organizations/acme',
    rows: [
      {
        url: `${base}/api-access/x`,
        name: 'SIEM',
        clientId: 'qL2bT0cVtQ',
        apiScopes: ['members:read', 'sessions:write'],
        hasSignIn: true,
      },
    ],
  };
  const client = {
    ...shared,
    clientId: 'qL2bT0cVtQ',
    client: 'SIEM',
    action: `${base}/api-access/x`,
    version: '1',
    name: 'SIEM',
    nameError: null,
    scopes: [
      { value: 'members:read', label: 'Read members and invitations', chosen: true },
      { value: 'sessions:write', label: 'End sessions, disconnect people', chosen: false },
    ],
    scopesError: null,
    secret: null,
    note: null,
    application: null,
    rotate: `${base}/api-access/x/secret`,
    remove: `${base}/api-access/x/remove`,
    usage: 'curl -s -u "qL2bT0cVtQ:SECRET" https://id.acme.test/token -d grant_type=client_credentials',
    cancel: `${base}/api-access`,
  } as const;
  return [
    { name: 'organizations/api-access', state: 'some', locals: list },
    {
      name: 'organizations/api-access',
      state: 'none, of an admin',
      locals: { ...list, add: null, rows: [] },
    },
    { name: 'organizations/api-client', state: 'as it is', locals: client },
    {
      name: 'organizations/api-client',
      state: 'new secret',
      locals: { ...client, secret: 'cHmNN0zvVw8rFHmQm3Cq6dYyNUXy2mCvZQ5t1l8kYJk' },
    },
    {
      name: 'organizations/api-client',
      state: 'new, wrong',
      locals: {
        ...client,
        clientId: null,
        nameError: 'Enter a name of at most 200 characters.',
        scopesError: 'Choose at least one.',
        rotate: null,
        remove: null,
        usage: null,
      },
    },
    {
      name: 'organizations/api-client',
      state: 'of an admin, changed meanwhile',
      locals: {
        ...client,
        action: null,
        rotate: null,
        remove: null,
        application: `${base}/applications/x`,
        note: {
          tone: 'danger',
          text: 'Somebody else has changed this API client since you opened it. Nothing of yours was saved. This is how it is now.',
        },
      },
    },
  ];
}
