import { auditEvent } from '../audit/audit.ts';
import type { AuditEventRow } from '../entities/audit-events.ts';
import {
  type AuditHeadRow,
  type AuditLinkRow,
  allHeads,
  auditHeads,
  chainFrom,
  chainsWithoutHead,
  countChained,
  extendChains,
  instanceChain,
  unchainedEvents,
  whoseEvents,
} from '../entities/audit-links.ts';
import { isDuplicate, type Statement, type Value } from '../entities/database.ts';
import { countSignIns, dayOf } from '../entities/organization-days.ts';
import { keyedDigest, keyedDigests, sameDigest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { acr2fa, acrPhr } from '../policy/assurance.ts';
import type { Services } from './services.ts';

type Parts = Pick<Services, 'db' | 'ring'>;

const batchSize = 200;
const beginning = 'the beginning';

/** What a link's hash is over: its place, what stands before it, and every word of the event. */
const content = (before: string, chain: string, position: number, event: Readonly<Record<string, Value>>) =>
  JSON.stringify([
    before,
    chain,
    position,
    event.id,
    event.at,
    event.type,
    event.user_id,
    event.organization_id,
    event.client_id,
    event.ip,
    event.user_agent,
    event.data,
  ]);

const hashOf = (ring: KeyRing, text: string): string => keyedDigest(ring, 'audit chain', text);

/** What a head's proof is over. */
const place = ({ chain, position, hash }: Pick<AuditHeadRow, 'chain' | 'position' | 'hash'>): string =>
  JSON.stringify([chain, Number(position), hash]);

const proofOf = (ring: KeyRing, head: Pick<AuditHeadRow, 'chain' | 'position' | 'hash'>): string =>
  keyedDigest(ring, 'audit head', place(head));

/** False where somebody without a key has moved it. */
const isProved = (ring: KeyRing, head: AuditHeadRow): boolean =>
  keyedDigests(ring, 'audit head', place(head)).some((digest) => sameDigest(digest, head.proof));

const nowhere = { ip: null, userAgent: null };

/**
 * Gives every event that has none yet its place: in the chain of all, and in that of each organization which it concerns. A sign-in
 * never waits for a chain; this runs beside it, and wherever several do it at once, one is first. Returns how many events were chained.
 */
export async function chainAuditEvents(services: Parts): Promise<number> {
  const { db } = services;
  let chained = 0;
  for (;;) {
    const events = await unchainedEvents(db, batchSize);
    if (events.length === 0) return chained;
    if (!(await chainBatch(services, events))) return chained;
    chained += events.length;
    if (events.length < batchSize) return chained;
    await new Promise(setImmediate);
  }
}

async function chainBatch({ db, ring }: Parts, events: readonly AuditEventRow[]): Promise<boolean> {
  const { members, applications } = await whoseEvents(
    db,
    [...new Set(events.flatMap(({ user_id }) => user_id ?? []))],
    [...new Set(events.flatMap(({ client_id }) => client_id ?? []))],
  );
  const chainsOf = (event: AuditEventRow): string[] => {
    if (event.organization_id !== null) return [instanceChain, event.organization_id];
    const mine = event.user_id === null ? [] : (members.get(event.user_id) ?? []);
    const owner = event.client_id === null ? null : (applications.get(event.client_id) ?? null);
    // What somebody does in an application of one organization is no business of another.
    return [instanceChain, ...mine.filter((id) => owner === null || owner === id)];
  };
  const placed = events.map((event) => ({ event, chains: chainsOf(event) }));
  const heads = await auditHeads(db, [...new Set(placed.flatMap(({ chains }) => chains))]);
  const before = new Map(heads.map((head) => [head.chain, { ...head, position: Number(head.position) }]));
  const after = new Map<string, AuditHeadRow>();
  const links: AuditLinkRow[] = [];
  const signIns = new SignInCount();
  for (const { event, chains } of placed) {
    for (const chain of chains) {
      if (event.type === 'sign_in.succeeded' && chain !== instanceChain) signIns.add(chain, event);
      const head = after.get(chain) ?? before.get(chain);
      const position = (head?.position ?? 0) + 1;
      const hash = hashOf(ring, content(head?.hash ?? beginning, chain, position, { ...event }));
      after.set(chain, { chain, position, hash, proof: '' });
      links.push({
        chain,
        position,
        event_id: event.id,
        at: event.at,
        type: event.type,
        user_id: event.user_id,
        client_id: event.client_id,
        hash,
      });
    }
  }
  const proved = new Map(
    [...after].map(([chain, head]) => [chain, { ...head, proof: proofOf(ring, head) }] as const),
  );
  // The chain goes on, and says so for ever: what was cut off before the head cannot be seen once it has moved.
  const moved = heads.filter((head) => !isProved(ring, head));
  try {
    return await db.together([
      ...moved.map(({ chain, position }) =>
        auditEvent(db, nowhere, {
          type: 'audit.tampered',
          organizationId: chain === instanceChain ? null : chain,
          data: { position: Number(position) },
        }),
      ),
      ...extendChains(db, {
        links,
        before,
        after: proved,
        eventIds: events.map(({ id }) => id),
        now: db.clock.now(),
      }),
      ...signIns.statements(db),
    ]);
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

/** Sign-ins per organization and day, and those with a second factor: counted where they are chained, so once each. */
class SignInCount {
  private readonly found = new Map<
    string,
    { organizationId: string; day: number; all: number; strong: number }
  >();

  add(organizationId: string, event: AuditEventRow): void {
    const day = dayOf(event.at);
    const key = `${organizationId} ${day}`;
    const count = this.found.get(key) ?? { organizationId, day, all: 0, strong: 0 };
    const { acr } = JSON.parse(event.data) as { acr?: unknown };
    count.all += 1;
    if (acr === acr2fa || acr === acrPhr) count.strong += 1;
    this.found.set(key, count);
  }

  statements(db: Services['db']): Statement[] {
    return [...this.found.values()].flatMap(({ organizationId, day, all, strong }) =>
      countSignIns(db, organizationId, day, all, strong),
    );
  }
}

/** What is wrong with the audit log. */
export interface ChainProblem {
  readonly chain: string;
  readonly position: number;
  readonly what: 'changed' | 'missing' | 'cut';
}

/** Goes through every chain from its beginning: an event that was changed, taken out or put in breaks it there. */
export async function verifyAuditChains({ db, ring }: Parts): Promise<{
  readonly links: number;
  readonly head: AuditHeadRow | null;
  readonly problems: readonly ChainProblem[];
}> {
  const problems: ChainProblem[] = [];
  let links = 0;
  let instance: AuditHeadRow | null = null;
  let placed = 0;
  // Before the links are read: those that come meanwhile have theirs.
  const chained = await countChained(db);
  for (const { chain } of await chainsWithoutHead(db)) {
    problems.push({ chain, position: 1, what: 'cut' });
  }
  for (const head of await allHeads(db)) {
    if (head.chain === instanceChain) instance = head;
    let position = 0;
    let hash = beginning;
    let isBroken = false;
    for (;;) {
      const rows = await chainFrom(db, head.chain, position, 500);
      for (const row of rows) {
        links += 1;
        if (head.chain === instanceChain && row.id !== null) placed += 1;
        const expected = position + 1;
        position = Number(row.position);
        const texts = content(hash, head.chain, position, row);
        hash = row.hash;
        if (isBroken) continue;
        const isCopied = ['at', 'type', 'user_id', 'client_id'].every(
          (name) => row[name] === row[`link_${name}`],
        );
        const what =
          row.id === null || position !== expected
            ? 'missing'
            : isCopied &&
                keyedDigests(ring, 'audit chain', texts).some((digest) => sameDigest(digest, row.hash))
              ? null
              : 'changed';
        if (what !== null) {
          problems.push({ chain: head.chain, position: expected, what });
          isBroken = true;
        }
      }
      if (rows.length < 500) break;
      await new Promise(setImmediate);
    }
    const isAtHead = position === Number(head.position) && hash === head.hash && isProved(ring, head);
    if (!isBroken && !isAtHead) {
      problems.push({ chain: head.chain, position: position + 1, what: 'cut' });
    }
  }
  if (placed < chained && problems.length === 0) {
    problems.push({ chain: instanceChain, position: placed + 1, what: 'cut' });
  }
  return { links, head: instance, problems };
}
