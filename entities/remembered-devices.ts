import type { Method } from '../policy/types.ts';
import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

export interface RememberedDeviceRow {
  id: string;
  user_id: string;
  secret_digest: string;
  method: Method;
  security_version: number;
  user_agent: string | null;
  ip: string | null;
  created_at: number;
  last_used_at: number;
  expires_at: number;
  revoked_at: number | null;
}

export const rememberedDevice = (db: Database, id: string) =>
  db.row<RememberedDeviceRow>('SELECT * FROM remembered_devices WHERE id = ?', [id]);

export const rememberDevice = (
  db: Database,
  device: {
    id: string;
    userId: string;
    secretDigest: string;
    method: Method;
    securityVersion: number;
    userAgent: string | null;
    ip: string | null;
    now: Date;
    expiresAt: Date;
  },
): Statement =>
  db.insert('remembered_devices', {
    id: device.id,
    user_id: device.userId,
    secret_digest: device.secretDigest,
    method: device.method,
    security_version: device.securityVersion,
    user_agent: device.userAgent,
    ip: device.ip,
    created_at: device.now.getTime(),
    last_used_at: device.now.getTime(),
    expires_at: device.expiresAt.getTime(),
    revoked_at: null,
  });

export const touchRememberedDevice = (id: string, now: Date): Statement => ({
  sql: 'UPDATE remembered_devices SET last_used_at = ? WHERE id = ?',
  values: [now.getTime(), id],
});

export const forgetRememberedDevices = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE remembered_devices SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL',
  values: [now.getTime(), userId],
});

export const purgeRememberedDevices = (db: Database, before: Date) =>
  deleteInSteps(db, 'remembered_devices', 'expires_at < ?', [before.getTime()]);

/** Those that are good for something now, the last used first. */
export const rememberedDevicesOf = (db: Database, userId: string, now: Date) =>
  db.rows<RememberedDeviceRow>(
    `SELECT d.* FROM remembered_devices d JOIN users u ON u.id = d.user_id
     WHERE d.user_id = ? AND d.revoked_at IS NULL AND d.expires_at > ? AND d.security_version = u.security_version
     ORDER BY d.last_used_at DESC, d.id`,
    [userId, now.getTime()],
  );

export const forgetRememberedDevice = (userId: string, id: string, now: Date): Statement => ({
  sql: 'UPDATE remembered_devices SET revoked_at = ? WHERE id = ? AND user_id = ? AND revoked_at IS NULL',
  values: [now.getTime(), id, userId],
  rows: 1,
});
