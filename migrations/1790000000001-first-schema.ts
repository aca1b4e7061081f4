import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ddlFor } from './ddl.ts';

/** Everything that the first release stores. */
export class FirstSchema1790000000001 implements MigrationInterface {
  name = 'FirstSchema1790000000001';

  async up(runner: QueryRunner): Promise<void> {
    const t = await ddlFor(runner);
    const tables = [
      `CREATE TABLE IF NOT EXISTS instance (
        name ${t.id} NOT NULL PRIMARY KEY,
        value ${t.text} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS organizations (
        id ${t.id} NOT NULL PRIMARY KEY,
        slug ${t.word} NOT NULL UNIQUE,
        name ${t.line} NOT NULL,
        policy ${t.text} NOT NULL,
        created_at ${t.time} NOT NULL,
        roles_version ${t.number},
        branding ${t.text}
      )`,
      `CREATE TABLE IF NOT EXISTS users (
        id ${t.id} NOT NULL PRIMARY KEY,
        email ${t.word} NOT NULL UNIQUE,
        email_verified ${t.flag} NOT NULL,
        name ${t.line},
        name_key ${t.word},
        surname_key ${t.word},
        phone ${t.word},
        phone_verified ${t.flag} NOT NULL,
        locale ${t.word},
        last_language ${t.word},
        password_hash ${t.text},
        home_organization_id ${t.id},
        security_version ${t.number} NOT NULL,
        preferred_factor_id ${t.id},
        had_factor_at ${t.time},
        reset_at ${t.time},
        postponed_until ${t.time},
        disabled_at ${t.time},
        sessions_valid_after ${t.time} NOT NULL,
        fresh_factor_since ${t.time},
        last_sign_in_at ${t.time},
        last_sign_in_acr ${t.word},
        last_sign_in_client_id ${t.word},
        created_at ${t.time} NOT NULL,
        updated_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS memberships (
        user_id ${t.id} NOT NULL,
        organization_id ${t.id} NOT NULL,
        role ${t.word} NOT NULL,
        joined_at ${t.time} NOT NULL,
        admin_since ${t.time},
        grace_started_at ${t.time},
        removed_at ${t.time},
        facets ${t.number},
        email_key ${t.word},
        name_key ${t.word},
        surname_key ${t.word},
        PRIMARY KEY (user_id, organization_id)
      )`,
      `CREATE TABLE IF NOT EXISTS factors (
        id ${t.id} NOT NULL PRIMARY KEY,
        user_id ${t.id} NOT NULL,
        method ${t.word} NOT NULL,
        name ${t.line},
        data ${t.text} NOT NULL,
        lookup ${t.digest} UNIQUE,
        model ${t.word},
        high_water ${t.number} NOT NULL,
        failures ${t.number} NOT NULL,
        disabled_at ${t.time},
        confirmed_at ${t.time} NOT NULL,
        last_used_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS recovery_codes (
        id ${t.id} NOT NULL PRIMARY KEY,
        user_id ${t.id} NOT NULL,
        position ${t.number} NOT NULL,
        salt ${t.word} NOT NULL,
        digest ${t.digest} NOT NULL,
        sealed ${t.text},
        created_at ${t.time} NOT NULL,
        used_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS remembered_devices (
        id ${t.id} NOT NULL PRIMARY KEY,
        user_id ${t.id} NOT NULL,
        secret_digest ${t.digest} NOT NULL,
        method ${t.word} NOT NULL,
        security_version ${t.number} NOT NULL,
        user_agent ${t.line},
        ip ${t.word},
        created_at ${t.time} NOT NULL,
        last_used_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        revoked_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS applications (
        client_id ${t.word} NOT NULL PRIMARY KEY,
        organization_id ${t.id},
        name ${t.line} NOT NULL,
        secret ${t.text},
        resource ${t.word} UNIQUE,
        metadata ${t.text} NOT NULL,
        first_party ${t.flag} NOT NULL,
        assurance ${t.word} NOT NULL,
        created_at ${t.time} NOT NULL,
        updated_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS consents (
        user_id ${t.id} NOT NULL,
        client_id ${t.word} NOT NULL,
        scope ${t.text} NOT NULL,
        granted_at ${t.time} NOT NULL,
        PRIMARY KEY (user_id, client_id)
      )`,
      `CREATE TABLE IF NOT EXISTS sessions (
        uid_digest ${t.digest} NOT NULL PRIMARY KEY,
        id_digest ${t.digest} UNIQUE,
        account_id ${t.id},
        version ${t.number} NOT NULL,
        payload ${t.text} NOT NULL,
        started_at ${t.time} NOT NULL,
        seen_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        ended_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS sign_ins (
        uid_digest ${t.digest} NOT NULL PRIMARY KEY,
        account_id ${t.id},
        version ${t.number} NOT NULL,
        state ${t.text} NOT NULL,
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        finished_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS held_forms (
        id_digest ${t.digest} NOT NULL PRIMARY KEY,
        session_digest ${t.digest} NOT NULL,
        user_id ${t.id} NOT NULL,
        path ${t.line} NOT NULL,
        fields ${t.text} NOT NULL,
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS invitations (
        id ${t.id} NOT NULL PRIMARY KEY,
        token_digest ${t.digest} NOT NULL UNIQUE,
        organization_id ${t.id} NOT NULL,
        email ${t.word} NOT NULL,
        name ${t.line},
        role ${t.word} NOT NULL,
        invited_by ${t.id},
        invited_by_client ${t.word},
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        accepted_at ${t.time},
        revoked_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS one_time_links (
        id_digest ${t.digest} NOT NULL PRIMARY KEY,
        purpose ${t.word} NOT NULL,
        user_id ${t.id} NOT NULL,
        data ${t.text} NOT NULL,
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        used_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS provider_records (
        model ${t.word} NOT NULL,
        id_digest ${t.digest} NOT NULL,
        grant_digest ${t.digest},
        user_code_digest ${t.digest},
        account_id ${t.id},
        session_digest ${t.digest},
        client_id ${t.word},
        payload ${t.text} NOT NULL,
        created_at ${t.time} NOT NULL,
        consumed_at ${t.time},
        destroyed_at ${t.time},
        expires_at ${t.time},
        PRIMARY KEY (model, id_digest)
      )`,
      `CREATE TABLE IF NOT EXISTS signing_keys (
        id ${t.id} NOT NULL PRIMARY KEY,
        algorithm ${t.word} NOT NULL,
        jwk ${t.text} NOT NULL,
        created_at ${t.time} NOT NULL,
        active_at ${t.time} NOT NULL,
        retired_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS job_leases (
        name ${t.word} NOT NULL PRIMARY KEY,
        next_at ${t.time} NOT NULL,
        ran_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS limits (
        subject ${t.digest} NOT NULL PRIMARY KEY,
        failures ${t.number} NOT NULL,
        blocked_until ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS audit_events (
        id ${t.id} NOT NULL PRIMARY KEY,
        at ${t.time} NOT NULL,
        type ${t.word} NOT NULL,
        user_id ${t.id},
        organization_id ${t.id},
        client_id ${t.word},
        ip ${t.word},
        user_agent ${t.line},
        data ${t.text} NOT NULL,
        chained_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS audit_links (
        chain ${t.id} NOT NULL,
        position ${t.number} NOT NULL,
        event_id ${t.id} NOT NULL,
        at ${t.time} NOT NULL,
        type ${t.word} NOT NULL,
        user_id ${t.id},
        client_id ${t.word},
        hash ${t.digest} NOT NULL,
        PRIMARY KEY (chain, position)
      )`,
      `CREATE TABLE IF NOT EXISTS audit_heads (
        chain ${t.id} NOT NULL PRIMARY KEY,
        position ${t.number} NOT NULL,
        hash ${t.digest} NOT NULL,
        proof ${t.digest} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS organization_logos (
        organization_id ${t.id} NOT NULL PRIMARY KEY,
        type ${t.word} NOT NULL,
        data ${t.text} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS organization_days (
        organization_id ${t.id} NOT NULL,
        day ${t.number} NOT NULL,
        members ${t.number},
        required ${t.number},
        set_up ${t.number},
        overdue ${t.number},
        sign_ins ${t.number} NOT NULL,
        sign_ins_strong ${t.number} NOT NULL,
        PRIMARY KEY (organization_id, day)
      )`,
      `CREATE TABLE IF NOT EXISTS two_factor_resets (
        id ${t.id} NOT NULL PRIMARY KEY,
        user_id ${t.id} NOT NULL,
        organization_id ${t.id} NOT NULL,
        token_digest ${t.digest} NOT NULL UNIQUE,
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        used_at ${t.time},
        ended_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS policy_announcements (
        organization_id ${t.id} NOT NULL,
        changed_at ${t.time} NOT NULL,
        cursor_at ${t.line},
        created_at ${t.time} NOT NULL,
        finished_at ${t.time},
        PRIMARY KEY (organization_id, changed_at)
      )`,
      `CREATE TABLE IF NOT EXISTS policy_notices (
        organization_id ${t.id} NOT NULL,
        user_id ${t.id} NOT NULL,
        kind ${t.word} NOT NULL,
        deadline ${t.time} NOT NULL,
        outbox_id ${t.digest} NOT NULL,
        created_at ${t.time} NOT NULL,
        settled ${t.flag} NOT NULL,
        sent_at ${t.time},
        failed_at ${t.time},
        PRIMARY KEY (organization_id, user_id, kind, deadline)
      )`,
      `CREATE TABLE IF NOT EXISTS signal_streams (
        id ${t.id} NOT NULL PRIMARY KEY,
        client_id ${t.word} NOT NULL,
        organization_id ${t.id},
        delivery ${t.word} NOT NULL,
        endpoint_url ${t.line},
        authorization_header ${t.text},
        events ${t.text} NOT NULL,
        description ${t.line},
        status ${t.word} NOT NULL,
        reason ${t.line},
        passed_until ${t.time} NOT NULL,
        verified_at ${t.time},
        created_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS signal_subjects (
        stream_id ${t.id} NOT NULL,
        user_id ${t.id} NOT NULL,
        PRIMARY KEY (stream_id, user_id)
      )`,
      `CREATE TABLE IF NOT EXISTS idempotency_keys (
        key_digest ${t.digest} NOT NULL PRIMARY KEY,
        request_digest ${t.digest} NOT NULL,
        answer ${t.text},
        holder ${t.id} NOT NULL,
        held_until ${t.time} NOT NULL,
        written_at ${t.time},
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS approvals (
        id ${t.id} NOT NULL PRIMARY KEY,
        user_id ${t.id} NOT NULL,
        open_for ${t.id} UNIQUE,
        client_id ${t.word},
        number ${t.number} NOT NULL,
        choices ${t.word} NOT NULL,
        ip ${t.word},
        user_agent ${t.line},
        limit_subject ${t.digest} NOT NULL,
        security_version ${t.number} NOT NULL,
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        decision ${t.word},
        decided_at ${t.time},
        factor_id ${t.id},
        signature ${t.text},
        consumed_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS upstream_providers (
        id ${t.id} NOT NULL PRIMARY KEY,
        name_key ${t.word} NOT NULL UNIQUE,
        organization_id ${t.id},
        slug ${t.word} NOT NULL,
        name ${t.line} NOT NULL,
        issuer ${t.line} NOT NULL,
        issuer_digest ${t.digest} NOT NULL,
        client_id ${t.line} NOT NULL,
        secret ${t.text},
        private_key ${t.text},
        settings ${t.text} NOT NULL,
        enabled ${t.flag} NOT NULL,
        version ${t.number} NOT NULL,
        created_at ${t.time} NOT NULL,
        updated_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS upstream_domains (
        provider_id ${t.id} NOT NULL,
        domain ${t.word} NOT NULL,
        verified_domain ${t.word} UNIQUE,
        challenge ${t.word} NOT NULL,
        created_at ${t.time} NOT NULL,
        PRIMARY KEY (provider_id, domain)
      )`,
      `CREATE TABLE IF NOT EXISTS upstream_links (
        id ${t.id} NOT NULL PRIMARY KEY,
        user_id ${t.id} NOT NULL,
        provider_id ${t.id} NOT NULL,
        issuer_digest ${t.digest} NOT NULL,
        subject_digest ${t.digest} NOT NULL,
        subject ${t.line} NOT NULL,
        email ${t.line},
        with_factor ${t.flag} NOT NULL,
        created_at ${t.time} NOT NULL,
        last_used_at ${t.time},
        UNIQUE (provider_id, issuer_digest, subject_digest)
      )`,
      `CREATE TABLE IF NOT EXISTS upstream_sign_ins (
        id ${t.id} NOT NULL PRIMARY KEY,
        link_id ${t.id} NOT NULL,
        provider_id ${t.id} NOT NULL,
        sid_digest ${t.digest},
        id_token ${t.text},
        id_token_until ${t.time},
        created_at ${t.time} NOT NULL,
        expires_at ${t.time} NOT NULL,
        ended_at ${t.time}
      )`,
      `CREATE TABLE IF NOT EXISTS upstream_logouts (
        id_digest ${t.digest} NOT NULL PRIMARY KEY,
        expires_at ${t.time} NOT NULL
      )`,
      `CREATE TABLE IF NOT EXISTS outbox (
        id ${t.id} NOT NULL PRIMARY KEY,
        channel ${t.word} NOT NULL,
        recipient ${t.id},
        message ${t.text} NOT NULL,
        attempts ${t.number} NOT NULL,
        next_at ${t.time},
        created_at ${t.time} NOT NULL,
        sent_at ${t.time},
        failed_at ${t.time}
      )`,
    ];
    for (const table of tables) {
      await runner.query(table + t.tableOptions);
    }
    const indexes = [
      'memberships_by_organization ON memberships (organization_id, user_id)',
      'memberships_by_email ON memberships (organization_id, facets, email_key, user_id, joined_at, grace_started_at, admin_since)',
      'memberships_by_facets ON memberships (organization_id, facets, joined_at, grace_started_at, admin_since)',
      'memberships_by_name ON memberships (organization_id, facets, name_key, user_id)',
      'memberships_by_surname ON memberships (organization_id, facets, surname_key, user_id)',
      'factors_by_user ON factors (user_id, method)',
      'factors_by_method ON factors (method, confirmed_at)',
      'recovery_codes_by_user ON recovery_codes (user_id)',
      'remembered_devices_by_user ON remembered_devices (user_id)',
      'remembered_devices_by_expiry ON remembered_devices (expires_at)',
      'sessions_by_account ON sessions (account_id)',
      'sessions_by_expiry ON sessions (expires_at)',
      'sign_ins_by_account ON sign_ins (account_id)',
      'sign_ins_by_expiry ON sign_ins (expires_at)',
      'held_forms_by_expiry ON held_forms (expires_at)',
      'invitations_by_organization ON invitations (organization_id, created_at)',
      'invitations_by_address ON invitations (organization_id, email)',
      'invitations_by_expiry ON invitations (expires_at)',
      'one_time_links_by_user ON one_time_links (user_id)',
      'one_time_links_by_expiry ON one_time_links (expires_at)',
      'provider_records_by_grant ON provider_records (grant_digest)',
      'provider_records_by_user_code ON provider_records (user_code_digest)',
      'provider_records_by_account ON provider_records (account_id)',
      'provider_records_by_expiry ON provider_records (expires_at)',
      'limits_by_expiry ON limits (expires_at)',
      'audit_events_by_user ON audit_events (user_id, id)',
      'audit_events_by_organization ON audit_events (organization_id, id)',
      'audit_events_waiting ON audit_events (chained_at, id)',
      'audit_links_by_type ON audit_links (chain, type, position)',
      'audit_links_by_user ON audit_links (chain, user_id, position)',
      'audit_links_by_application ON audit_links (chain, client_id, position)',
      'audit_links_by_age ON audit_links (chain, at, position)',
      'two_factor_resets_by_user ON two_factor_resets (user_id, created_at)',
      'two_factor_resets_by_expiry ON two_factor_resets (expires_at)',
      'policy_announcements_by_end ON policy_announcements (finished_at)',
      'policy_notices_by_age ON policy_notices (organization_id, created_at, user_id, kind)',
      'policy_notices_by_failure ON policy_notices (organization_id, failed_at)',
      'policy_notices_by_end ON policy_notices (settled, created_at)',
      'signal_streams_by_client ON signal_streams (client_id)',
      'idempotency_keys_by_expiry ON idempotency_keys (expires_at)',
      'approvals_by_expiry ON approvals (expires_at)',
      'upstream_providers_by_organization ON upstream_providers (organization_id)',
      'upstream_links_by_user ON upstream_links (user_id)',
      'upstream_sign_ins_by_link ON upstream_sign_ins (link_id)',
      'upstream_sign_ins_by_session ON upstream_sign_ins (sid_digest)',
      'upstream_sign_ins_by_expiry ON upstream_sign_ins (expires_at)',
      'upstream_sign_ins_by_id_token ON upstream_sign_ins (id_token_until)',
      'upstream_logouts_by_expiry ON upstream_logouts (expires_at)',
      'outbox_by_turn ON outbox (channel, next_at)',
      'outbox_by_age ON outbox (created_at)',
      'outbox_by_recipient ON outbox (recipient, created_at)',
    ];
    for (const index of indexes) {
      await createIndex(runner, index);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [
      'outbox',
      'upstream_logouts',
      'upstream_sign_ins',
      'upstream_links',
      'upstream_domains',
      'upstream_providers',
      'two_factor_resets',
      'idempotency_keys',
      'signal_subjects',
      'signal_streams',
      'approvals',
      'policy_notices',
      'policy_announcements',
      'organization_logos',
      'organization_days',
      'audit_heads',
      'audit_links',
      'audit_events',
      'limits',
      'job_leases',
      'signing_keys',
      'provider_records',
      'one_time_links',
      'invitations',
      'held_forms',
      'sign_ins',
      'sessions',
      'consents',
      'applications',
      'remembered_devices',
      'recovery_codes',
      'factors',
      'memberships',
      'users',
      'organizations',
      'instance',
    ])
      await runner.query(`DROP TABLE IF EXISTS ${table}`);
  }
}

/** A migration that was killed half-way is run again from its start, so nothing in it may mind that it exists already. */
async function createIndex(runner: QueryRunner, definition: string): Promise<void> {
  if (runner.dataSource.options.type !== 'mysql') {
    await runner.query(`CREATE INDEX IF NOT EXISTS ${definition}`);
    return;
  }
  const [name, , table] = definition.split(' ');
  const found = (await runner.query(
    'SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? LIMIT 1',
    [table, name],
  )) as unknown[];
  if (found.length === 0) {
    await runner.query(`CREATE INDEX ${definition}`);
  }
}
