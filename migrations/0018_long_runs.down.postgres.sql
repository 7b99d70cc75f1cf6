DROP INDEX users_search_long;
DROP VIEW users_search;
DROP VIEW users_searched;
CREATE VIEW users_searched AS
  SELECT id, is_active, deleted_at_ms, email || chr(10) || coalesce(username_key, '') || chr(10) || coalesce(name_key, '') || chr(10)
    || coalesce(phone, '') AS text
  FROM users;
CREATE VIEW users_search AS SELECT id AS rowid, text FROM users_searched;
DROP FUNCTION long_runs;
