import { readFile } from 'node:fs/promises';
import type { Context } from 'koa';

/** The file that came with a form's field; null where none was chosen. */
export async function uploadOf(ctx: Context, field: string): Promise<Buffer | null> {
  const { files } = ctx.request as { files?: Record<string, unknown> };
  const given = files?.[field];
  const file = (Array.isArray(given) ? given[0] : given) as
    | { filepath?: unknown; size?: unknown }
    | undefined;
  if (typeof file?.filepath !== 'string' || Number(file.size) === 0) return null;
  return readFile(file.filepath);
}

/** Spreadsheets write UTF-8, or what their system wrote before it. */
export function textIn(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
