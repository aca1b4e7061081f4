export const password = 'correct horse battery staple';

/** The authenticator app of everybody in the demo who has one, base32. */
export const totpSecret = 'JBSWY3DPEHPK3PXP';

export const organization = {
  slug: 'acme',
  name: 'Acme Aviation',
  policy: { requirement: 'required_for_all', graceDays: 7, rememberDeviceDays: 30 },
};

interface DemoPerson {
  readonly email: string;
  readonly name: string;
  readonly memberships: readonly { readonly organization: string; readonly role: string }[];
  readonly hasTotp: boolean;
  readonly joinedDaysAgo: number;
}

const acme = (role: string) => [{ organization: 'acme', role }];

export const people: readonly DemoPerson[] = [
  {
    email: 'ada@acme.test',
    name: 'Ada Lindqvist',
    memberships: acme('owner'),
    hasTotp: true,
    joinedDaysAgo: 400,
  },
  {
    email: 'chiara@acme.test',
    name: 'Chiara Conti',
    memberships: acme('admin'),
    hasTotp: true,
    joinedDaysAgo: 300,
  },
  {
    email: 'dai@acme.test',
    name: 'Dai Nakamura',
    memberships: acme('member'),
    hasTotp: true,
    joinedDaysAgo: 200,
  },
  {
    email: 'ben@acme.test',
    name: 'Ben Okafor',
    memberships: acme('member'),
    hasTotp: false,
    joinedDaysAgo: 2,
  },
  {
    email: 'elif@acme.test',
    name: 'Elif Demir',
    memberships: acme('member'),
    hasTotp: false,
    joinedDaysAgo: 100,
  },
  {
    email: 'gus@birch.test',
    name: 'Gus Birch',
    memberships: [{ organization: 'birch', role: 'owner' }],
    hasTotp: false,
    joinedDaysAgo: 0,
  },
];
