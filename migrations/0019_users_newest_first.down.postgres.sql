DROP VIEW users_search;
DROP VIEW users_searched;
CREATE VIEW users_searched AS
  SELECT id, is_active, deleted_at_ms, email || chr(10) || coalesce(username_key, '') || chr(10) || coalesce(name_key, '') || chr(10)
    || coalesce(phone, '') AS text,
    long_runs(email || chr(10) || coalesce(username_key, '') || chr(10) || coalesce(name_key, '') || chr(10)
      || coalesce(phone, '')) COLLATE "C" AS runs
  FROM users;
CREATE VIEW users_search AS SELECT id AS rowid, text FROM users_searched;
CREATE INDEX users_live ON users (id) WHERE deleted_at_ms IS NULL;
CREATE INDEX users_blocked ON users (id) WHERE NOT is_active;
DROP INDEX users_blocked_by_created_at;
DROP INDEX users_deleted_by_created_at;
