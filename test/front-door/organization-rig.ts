import { type OrganizationVisit, visitOrganization } from '../../flows/organization-actor.ts';
import type { Services } from '../../flows/services.ts';
import { openMessage, type StoredMail } from '../../notifications/outbox.ts';
import type { FrontDoor } from './rig.ts';

/** What the flows of one server are given. */
export function servicesOf(door: FrontDoor, replica = 0): Services {
  const services = door.apps[replica]?.services;
  if (!services) throw new Error('there is no such replica');
  return services;
}

/** The id of `who@acme.test`, who need not belong to Acme. */
export async function idOf(door: FrontDoor, who: string): Promise<string> {
  const user = await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [
    who.includes('@') ? who : `${who}@acme.test`,
  ]);
  if (!user) throw new Error(`there is no ${who}`);
  return user.id;
}

/** As `who` comes to an organization's pages. */
export async function visitAs(
  door: FrontDoor,
  who: string,
  slug = 'acme',
  replica = 0,
): Promise<OrganizationVisit> {
  const visit = await visitOrganization(servicesOf(door, replica), {
    userId: await idOf(door, who),
    slug,
    origin: { ip: null, userAgent: null },
  });
  if (!visit) throw new Error(`${who} has no access to ${slug}`);
  return visit;
}

/** Mails that wait or stand in the inbox, oldest first; the look empties it. */
export async function takeMails(door: FrontDoor): Promise<StoredMail[]> {
  const { ring } = servicesOf(door);
  const rows = await door.db.rows<never>("SELECT * FROM outbox WHERE message <> '' ORDER BY created_at, id");
  await door.db.change('DELETE FROM outbox');
  return rows.map((row) => openMessage(ring, row)).flatMap((mail) => (mail.by === 'email' ? [mail] : []));
}
