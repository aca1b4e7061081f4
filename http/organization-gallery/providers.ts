import type { GalleryPage } from '../gallery.ts';
import type { OrganizationPages } from '../organization-pages.ts';
import type { FramedPage } from '../pages.ts';
import { base } from './samples.ts';

/** Sign-in providers, in every state. */
export function providersGallery(shared: FramedPage): readonly GalleryPage[] {
  const provider: OrganizationPages['organizations/provider'] = {
    ...shared,
    name: 'Acme Keycloak',
    action: '#save',
    form: {
      name: 'Acme Keycloak',
      slug: 'keycloak',
      issuer: 'https://sso.acme.example/realms/acme',
      clientId: 'sallyport',
      authentication: [
        {
          value: 'client_secret_basic',
          label: 'Secret, in a header',
          hint: 'What most providers expect.',
          chosen: true,
        },
        {
          value: 'client_secret_post',
          label: 'Secret, in the body',
          hint: 'As a field of the form.',
          chosen: false,
        },
        {
          value: 'private_key_jwt',
          label: 'Key',
          hint: 'Nothing secret is exchanged: the provider reads our public key.',
          chosen: false,
        },
      ],
      hasSecret: true,
      secondFactor: [
        {
          value: 'trusted',
          label: 'Believed where it says so',
          hint: 'With one of the words below; everybody else is asked here.',
          chosen: true,
        },
        {
          value: 'required',
          label: 'Demanded there',
          hint: 'Nobody comes in by it without one of the words below.',
          chosen: false,
        },
        {
          value: 'never',
          label: 'Never believed',
          hint: 'The second factor is always asked here.',
          chosen: false,
        },
      ],
      acr: '2',
      amr: 'otp hwk',
      domains: 'acme.example\nacme.test',
      createAccounts: true,
      button: true,
      signOut: true,
      enabled: true,
      errors: {
        name: null,
        slug: null,
        issuer: null,
        clientId: null,
        clientSecret: null,
        acr: null,
        amr: null,
        domains: null,
      },
    },
    note: null,
    proved: [],
    verified: ['acme.example'],
    waiting: [{ record: { name: '_sallyport.acme.test', value: 'sallyport=3XkFJw3W0mV0Jqk2Vt0cEg' } }],
    settings: [
      { label: 'Redirect address', value: 'https://id.acme.example/upstream/acme.keycloak/callback' },
      { label: 'Address after sign-out', value: 'https://id.acme.example/upstream/acme.keycloak/signed-out' },
      {
        label: 'Back-channel logout address',
        value: 'https://id.acme.example/upstream/acme.keycloak/backchannel-logout',
      },
      { label: 'Key set address', value: 'https://id.acme.example/upstream/acme.keycloak/jwks.json' },
    ],
    test: '#test',
    remove: '#remove',
    cancel: '#cancel',
  };

  return [
    {
      name: 'organizations/providers',
      state: 'some',
      locals: {
        ...shared,
        add: `${base}/providers-new`,
        rows: [
          {
            url: '#keycloak',
            name: 'Acme Keycloak',
            issuer: 'https://sso.acme.example/realms/acme',
            domains: ['acme.example'],
            tag: { tone: 'ok', text: 'On' },
          },
        ],
      },
    },
    { name: 'organizations/providers', state: 'none', locals: { ...shared, add: '#add', rows: [] } },
    { name: 'organizations/provider', state: 'first', locals: provider },
    {
      name: 'organizations/provider',
      state: 'tested',
      locals: {
        ...provider,
        note: { tone: 'ok', text: 'The provider answers, and what it says of itself is in order.' },
        proved: ['acme.example'],
      },
    },
    {
      name: 'organizations/provider',
      state: 'new, wrong',
      locals: {
        ...provider,
        name: null,
        note: {
          tone: 'danger',
          text: { sentence: 'The provider cannot be used: {detail}.', values: { detail: 'ENOTFOUND' } },
        },
        form: {
          ...provider.form,
          errors: {
            name: 'Enter a name of at most 60 characters.',
            slug: 'Another provider of yours has this short name.',
            issuer: 'Enter the issuer as the provider writes it: an https address without query or fragment.',
            clientId: 'Enter the client ID that the provider gave you, without blanks.',
            clientSecret: 'Enter the secret as the provider shows it: at most 1024 plain characters.',
            acr: 'Enter at least one word that you trust, here or as amr: without one nobody could come in.',
            amr: 'Enter at most 30 words, with spaces between them.',
            domains: 'Enter one domain on each line, such as acme.example.',
          },
        },
        settings: [],
        verified: [],
        waiting: [],
        test: null,
        remove: null,
      },
    },
  ];
}
