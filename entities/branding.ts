import * as z from 'zod';

/** How an organization's pages look, beside its name. */
export const branding = z.object({
  organizationId: z.string(),
  /** Part of the addresses of its stylesheet and logo, which never change. */
  version: z.number().int(),
  accent: z.string().nullable(),
  hasLogo: z.boolean(),
});
export type Branding = z.infer<typeof branding>;

/** What cannot be read is no branding: a page is shown rather than none. */
export function readBranding(stored: string | null | undefined): Branding | null {
  if (!stored) return null;
  const read = branding.safeParse(JSON.parse(stored));
  return read.success ? read.data : null;
}
