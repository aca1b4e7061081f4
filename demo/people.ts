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
  readonly state: string;
}

const acme = (role: string) => [{ organization: 'acme', role }];

export const people: readonly DemoPerson[] = [
  {
    email: 'ada@acme.test',
    name: 'Ada Lindqvist',
    memberships: acme('owner'),
    hasTotp: true,
    joinedDaysAgo: 400,
    state: 'owner, has an authenticator app',
  },
  {
    email: 'chiara@acme.test',
    name: 'Chiara Conti',
    memberships: acme('admin'),
    hasTotp: true,
    joinedDaysAgo: 300,
    state: 'admin, has an authenticator app',
  },
  {
    email: 'dai@acme.test',
    name: 'Dai Nakamura',
    memberships: acme('member'),
    hasTotp: true,
    joinedDaysAgo: 200,
    state: 'member, has an authenticator app',
  },
  {
    email: 'ben@acme.test',
    name: 'Ben Okafor',
    memberships: acme('member'),
    hasTotp: false,
    joinedDaysAgo: 2,
    state: 'member, must set up, may still skip for 4 days',
  },
  {
    email: 'elif@acme.test',
    name: 'Elif Demir',
    memberships: acme('member'),
    hasTotp: false,
    joinedDaysAgo: 100,
    state: 'member, overdue: must set up now',
  },
  {
    email: 'gus@birch.test',
    name: 'Gus Birch',
    memberships: [{ organization: 'birch', role: 'owner' }],
    hasTotp: false,
    joinedDaysAgo: 0,
    state: 'owner elsewhere, nothing set up, recommended only',
  },
];
