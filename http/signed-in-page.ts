import type { Assessment } from '../flows/assess-sign-in.ts';
import { takeFlash } from './flash.ts';
import type { Common, Frame, NavItem, Note, Sentence } from './pages.ts';
import { brandOf, common } from './show.ts';
import type { SignedIn } from './signed-in.ts';

/** What a section of signed-in pages says of itself. */
export interface Section {
  /** Beside the brand: "Your account". */
  readonly name: Sentence;
  readonly pages: readonly {
    readonly label: Sentence;
    readonly path: string;
    /** Where it is of no use to everybody: to whom it is. */
    readonly isFor?: (assessment: Assessment) => boolean;
  }[];
  /** The organization whose pages these are; for the account, the person's own. */
  readonly brandName?: string | null;
  readonly branding?: string | null;
}

/** Said to whoever comes back from a fresh proof to the form that asked for it: it is sent by nobody but themselves. */
export const notYetDone: Note = {
  tone: 'info',
  text: 'You have confirmed that it is you. Nothing is done yet: look at it once more, then go on.',
};

/** What all signed-in pages share: brand, navigation, the person, and what happened a moment ago. */
export function framed(visit: SignedIn, section: Section): Common & { readonly frame: Frame } {
  const { ctx, site, assessment, csrf } = visit;
  const { user, memberships } = assessment;
  const home = memberships.find(({ organization }) => organization.id === user.home_organization_id);
  const mine = home ?? memberships[0];
  const own = brandOf(mine?.organization.name ?? null, mine?.branding);
  // Where there is only the one whose page this is, there is nothing to choose.
  const organizations = memberships
    .filter(({ role }) => role !== 'member')
    .map(({ organization }) => ({
      name: organization.name,
      url: `/organizations/${encodeURIComponent(organization.slug)}`,
    }));
  const item = ({ label, path }: Section['pages'][number]): NavItem => ({
    label,
    url: path,
    current: path === ctx.path ? 'page' : isWithin(ctx.path, path, section) ? 'section' : null,
  });
  return {
    ...common(ctx, {
      uiLocales: user.locale ?? undefined,
      brand: section.brandName === undefined ? own : brandOf(section.brandName, section.branding),
      account: user.email,
      csrf,
    }),
    frame: {
      section: section.name,
      pages: section.pages.filter(({ isFor }) => isFor?.(assessment) ?? true).map(item),
      person: user.name ?? user.email,
      account: '/account',
      organizations: organizations.some(({ url }) => url !== section.pages[0]?.path) ? organizations : [],
      signOut: '/account/sign-out',
      flash: takeFlash(ctx, site.services.ring) ?? (Object.keys(visit.held).length > 0 ? notYetDone : null),
    },
  };
}

/** A page below another one belongs to it, and so does `members-invite` to `members`; to the section's own first page none does. */
const isWithin = (path: string, parent: string, { pages }: Section): boolean =>
  parent !== pages[0]?.path && (path.startsWith(`${parent}/`) || path.startsWith(`${parent}-`));
