import * as z from 'zod';
import { storedPolicy } from '../entities/memberships.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { methods, roles } from '../policy/types.ts';

/** The words of the API. Names are those of the configuration file. */

export const slug = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
export const id = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9_-]+$/);
export const clientId = z
  .string()
  .min(1)
  .max(191)
  .regex(/^[\x21-\x7e]+$/);
export const moment = z.iso.datetime();
export const momentOrNull = moment.nullable();
export const line = (longest: number) => z.string().min(1).max(longest).regex(oneLinePattern);

export const inOrganization = z.strictObject({ organization: slug });
export const ofUser = z.strictObject({ user: id });

/** Where a list goes on: what the page before called `next`. */
export const cursor = z
  .string()
  .min(1)
  .max(1000)
  .regex(/^[A-Za-z0-9_-]+$/);
export const limit = z.coerce.number().int().min(1).max(200).default(50);
export const paging = { cursor: cursor.optional(), limit };

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ data: z.array(item), next: cursor.nullable() });

export const listOf = <Item extends z.ZodType>(item: Item) => z.object({ data: z.array(item) });

export const method = z.enum(methods);
export const role = z.enum(roles);

export const policyRules = storedPolicy.omit({
  adminsRequiredSince: true,
  allRequiredSince: true,
  changedAt: true,
});

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  errorId: z.string().optional(),
});
