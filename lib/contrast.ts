/** Contrast of two colours `#rrggbb`, 1 to 21 (WCAG 2.2, 1.4.3). */
export function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The colour itself where text in it can be read on this ground (4.5 : 1); else the nearest shade of it, darker or lighter, that can. */
export function readableOn(colour: string, ground: string): string {
  const target = luminance(ground) > 0.18 ? 0 : 255;
  for (let step = 0; step <= 20; step += 1) {
    const shade = mixed(colour, target, step / 20);
    if (contrast(shade, ground) >= 4.5) return shade;
  }
  return target === 0 ? '#000000' : '#ffffff';
}

function mixed(colour: string, target: number, share: number): string {
  const parts = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16);
    return Math.round(part + (target - part) * share)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${parts.join('')}`;
}
