-- What the back office needs to list and search a million users.

-- The name in lower case, as `username_key` is for the username: SQL alone lowers ASCII on one engine.
ALTER TABLE users ADD COLUMN name_key TEXT;
ALTER TABLE admins ADD COLUMN name_key TEXT;
UPDATE users SET name_key = lower(name);
UPDATE admins SET name_key = lower(name);

CREATE VIEW users_searched AS
  SELECT id, is_active, deleted_at_ms, email || chr(10) || coalesce(username_key, '') || chr(10) || coalesce(name_key, '') || chr(10)
    || coalesce(phone, '') AS text
  FROM users;

-- SQLite has an index of words under this name, whose key is called `rowid`.
CREATE VIEW users_search AS SELECT id AS rowid, text FROM users_searched;

-- Every three letters that follow one another, so that a part of a word is found without reading every row. Where
-- the server lacks the extension, or this role may not create it, a search reads every row.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX users_search_trigrams ON users USING gin ((
    email || chr(10) || coalesce(username_key, '') || chr(10) || coalesce(name_key, '') || chr(10)
      || coalesce(phone, '')
  ) gin_trgm_ops);
EXCEPTION
  WHEN undefined_file OR feature_not_supported OR insufficient_privilege OR undefined_object THEN
    RAISE WARNING 'pg_trgm is not available: a search among users reads every row';
END
$$;

-- Few are deleted, and few are blocked: to find the latest of them without reading all the others. The index of the
-- living lets a deep page be counted off without reading their rows.
CREATE INDEX users_live ON users (id) WHERE deleted_at_ms IS NULL;
CREATE INDEX users_deleted ON users (id) WHERE deleted_at_ms IS NOT NULL;
CREATE INDEX users_blocked ON users (id) WHERE NOT is_active;

-- How many there are, kept with every change: to count a million rows takes too long. Sixteen rows of each, so that
-- two registrations seldom wait for the same one.
CREATE TABLE user_counts (
  shard BIGINT NOT NULL,
  is_active BOOLEAN NOT NULL,
  is_deleted BOOLEAN NOT NULL,
  users BIGINT NOT NULL,
  PRIMARY KEY (shard, is_active, is_deleted)
);
INSERT INTO user_counts (shard, is_active, is_deleted, users)
  SELECT id % 16, is_active, deleted_at_ms IS NOT NULL, COUNT(*) FROM users GROUP BY 1, 2, 3;

-- Once a statement, whatever number of rows it changes: to change one count a thousand times in a transaction takes
-- the square of the time. The order is there so that two who change the same counts cannot wait for each other.
CREATE FUNCTION count_users_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO user_counts (shard, is_active, is_deleted, users)
    SELECT id % 16, is_active, deleted_at_ms IS NOT NULL, COUNT(*) FROM new_users GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (shard, is_active, is_deleted) DO UPDATE SET users = user_counts.users + EXCLUDED.users;
  RETURN NULL;
END
$$;
CREATE FUNCTION count_users_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO user_counts (shard, is_active, is_deleted, users)
    SELECT id % 16, is_active, deleted_at_ms IS NOT NULL, -COUNT(*) FROM old_users GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (shard, is_active, is_deleted) DO UPDATE SET users = user_counts.users + EXCLUDED.users;
  RETURN NULL;
END
$$;
CREATE FUNCTION count_users_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO user_counts (shard, is_active, is_deleted, users)
    SELECT moved.id % 16, moved.is_active, moved.is_deleted, SUM(moved.users) FROM (
      SELECT id, is_active, deleted_at_ms IS NOT NULL AS is_deleted, 1 AS users FROM new_users
      UNION ALL SELECT id, is_active, deleted_at_ms IS NOT NULL, -1 FROM old_users
    ) AS moved
    GROUP BY 1, 2, 3 HAVING SUM(moved.users) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (shard, is_active, is_deleted) DO UPDATE SET users = user_counts.users + EXCLUDED.users;
  RETURN NULL;
END
$$;

CREATE TRIGGER user_counts_insert AFTER INSERT ON users REFERENCING NEW TABLE AS new_users
  FOR EACH STATEMENT EXECUTE FUNCTION count_users_in();
CREATE TRIGGER user_counts_delete AFTER DELETE ON users REFERENCING OLD TABLE AS old_users
  FOR EACH STATEMENT EXECUTE FUNCTION count_users_out();
CREATE TRIGGER user_counts_update AFTER UPDATE ON users
  REFERENCING OLD TABLE AS old_users NEW TABLE AS new_users
  FOR EACH STATEMENT EXECUTE FUNCTION count_users_over();
