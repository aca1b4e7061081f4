import dns from 'node:dns';
import { Resolver } from 'node:dns/promises';

/** Where the DNS of a domain says whose it is. */
export const proofName = (domain: string): string => `_sallyport.${domain}`;
export const proofValue = (challenge: string): string => `sallyport=${challenge}`;

/** True where the DNS of this domain says so at this moment: only who runs the domain can make it. */
export async function dnsProves(domain: string, challenge: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  // The name servers of this process as they are now; a named import would keep those of its start.
  resolver.setServers(dns.getServers());
  try {
    const records = await resolver.resolveTxt(proofName(domain));
    return records.some((parts) => parts.join('').trim() === proofValue(challenge));
  } catch {
    return false;
  }
}
