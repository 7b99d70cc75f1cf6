DROP VIEW users_searched;
CREATE VIEW users_searched AS
  SELECT id, is_active, deleted_at_ms, email || char(10) || coalesce(username_key, '') || char(10) || coalesce(name_key, '') || char(10)
    || coalesce(phone, '') AS text
  FROM users;
CREATE INDEX users_live ON users (id) WHERE deleted_at_ms IS NULL;
CREATE INDEX users_blocked ON users (id) WHERE NOT is_active;
DROP INDEX users_blocked_by_created_at;
DROP INDEX users_deleted_by_created_at;
