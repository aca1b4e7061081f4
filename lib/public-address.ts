import { BlockList, isIP } from 'node:net';

/** Networks that are not the public internet: private, loopback, link-local, documentation, multicast, and ways round to them. */
const ipv4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];

/** Inside 2000::/3, the only part of IPv6 that is given out: Teredo and its neighbours, documentation, 6to4. */
const ipv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const refused = listOf([...ipv4, ...ipv6]);
const assigned = listOf(['2000::/3']);

/** True for an address that anybody on the internet may mean. IPv4 that is written as IPv6 is never one. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !refused.check(address, 'ipv4');
    case 6:
      return assigned.check(withoutZone(address), 'ipv6') && !refused.check(withoutZone(address), 'ipv6');
    default:
      return false;
  }
}

/** What else may be reached: networks (`10.1.0.0/16`, `::1`) by address, and hosts by name. */
export interface Allowed {
  readonly networks: BlockList;
  readonly hosts: ReadonlySet<string>;
}

/** @throws where an entry is neither a network, an address nor a host name */
export function readAllowed(entries: readonly string[]): Allowed {
  const isNetwork = (entry: string) => isIP(entry.split('/')[0] ?? '') !== 0;
  const hosts = entries.filter((entry) => !isNetwork(entry)).map((entry) => entry.toLowerCase());
  for (const host of hosts) {
    if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(host)) {
      throw new TypeError(`"${host}" is neither a host name nor an address nor a network`);
    }
  }
  return { networks: listOf(entries.filter(isNetwork)), hosts: new Set(hosts) };
}

/** True where the operator has named this address, or this host by its name. */
export const isNamed = (address: string, host: string, { networks, hosts }: Allowed): boolean =>
  hosts.has(host.toLowerCase()) ||
  (isIP(address) !== 0 && networks.check(withoutZone(address), isIP(address) === 4 ? 'ipv4' : 'ipv6'));

const withoutZone = (address: string): string => address.split('%')[0] ?? '';

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family);
  }
  return list;
}
