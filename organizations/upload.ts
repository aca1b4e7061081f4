import type { Context } from 'koa';

/** The file that came with a form's field; null where none was chosen. */
export function uploadOf(ctx: Context, field: string): Buffer | null {
  const { files = {} } = ctx.request as { files?: Record<string, unknown> };
  const given = Object.hasOwn(files, field) ? files[field] : undefined;
  const { content } = (Array.isArray(given) ? given[0] : (given ?? {})) as { content?: unknown };
  return Buffer.isBuffer(content) && content.length > 0 ? content : null;
}

/** Spreadsheets write UTF-8, or what their system wrote before it. */
export function textIn(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
