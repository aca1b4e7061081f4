import type { Adapter, AdapterPayload } from 'oidc-provider';

/**
 * The least that keeps a provider's records. The library's own in-memory adapter forgets all but the last thousand or so, and walks
 * through everything that a grant has given whenever it gives more: neither would be a fair anchor.
 */
export function memoryAdapter(): (model: string) => Adapter {
  const records = new Map<string, AdapterPayload>();
  const sessions = new Map<string, string>();
  const grants = new Map<string, Set<string>>();

  return (model) => {
    const keyOf = (id: string) => `${model}:${id}`;
    return {
      async upsert(id, payload) {
        records.set(keyOf(id), payload);
        if (model === 'Session' && payload.uid) sessions.set(payload.uid, id);
        if (payload.grantId) {
          const given = grants.get(payload.grantId) ?? new Set();
          grants.set(payload.grantId, given.add(keyOf(id)));
        }
      },
      find: async (id) => records.get(keyOf(id)),
      findByUid: async (uid) => records.get(keyOf(sessions.get(uid) ?? '')),
      findByUserCode: async () => undefined,
      async consume(id) {
        const record = records.get(keyOf(id));
        if (record) record.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        records.delete(keyOf(id));
      },
      async revokeByGrantId(grantId) {
        for (const key of grants.get(grantId) ?? []) records.delete(key);
        grants.delete(grantId);
      },
    };
  };
}
