import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { base } from './samples.ts';

/** A picture of one pixel. */
const dot =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

/** Branding, in every state. */
export function brandingGallery(shared: FramedPage): readonly GalleryPage[] {
  const branding = {
    ...shared,
    action: `${base}/branding`,
    name: 'Acme Aviation',
    accent: '#c2410c',
    version: '3',
    hasLogo: true,
    withoutLogo: false,
    chosen: null,
    look: { name: 'Acme Aviation', initial: 'A', colour: '#c2410c', logo: null },
    isPreview: false,
    nameError: null,
    accentError: null,
    logoError: null,
    contrast: {
      sentence: 'Contrast with white: {ratio} : 1. It reads well as it is.',
      values: { ratio: '5.2' },
    },
    note: null,
  } as const;

  return [
    { name: 'organizations/branding', state: 'chosen', locals: branding },
    {
      name: 'organizations/branding',
      state: 'previewed, not saved, with a logo',
      locals: {
        ...branding,
        isPreview: true,
        chosen: dot,
        look: { ...branding.look, logo: `data:image/png;base64,${dot}` },
      },
    },
    {
      name: 'organizations/branding',
      state: 'wrong',
      locals: {
        ...branding,
        accent: 'red',
        hasLogo: false,
        nameError: 'Enter a name of at most 200 characters.',
        accentError: 'Enter a colour as # and six digits, like #2453cc.',
        logoError: 'This is no PNG, JPEG or WebP picture of at most 200 kB and 2048 pixels.',
        contrast: null,
      },
    },
  ];
}
