import type { Context } from 'koa';

/** The file that came with a form's field; null where none was chosen. */
export function uploadOf(ctx: Context, field: string): Buffer | null {
  const { files = {} } = ctx.request as { files?: Record<string, unknown> };
  const given = Object.hasOwn(files, field) ? files[field] : undefined;
  const { content } = (Array.isArray(given) ? given[0] : (given ?? {})) as { content?: unknown };
  return Buffer.isBuffer(content) && content.length > 0 ? content : null;
}

/** Spreadsheets write UTF-8, UTF-16 or what their system wrote before it; null for what is no text at all, such as their own files. */
export function textIn(bytes: Buffer): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
