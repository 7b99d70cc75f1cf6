-- What the back office needs to list and search a million users.

-- The name in lower case, as `username_key` is for the username: SQL alone lowers ASCII on one engine.
ALTER TABLE users ADD COLUMN name_key TEXT;
ALTER TABLE admins ADD COLUMN name_key TEXT;
UPDATE users SET name_key = lower(name);
UPDATE admins SET name_key = lower(name);

-- `rowid` is what SQLite calls the key of its index of words, which has this name there.
CREATE VIEW users_search AS
  SELECT id AS rowid, email || chr(10) || coalesce(username_key, '') || chr(10) || coalesce(name_key, '') || chr(10)
    || coalesce(phone, '') AS text
  FROM users;

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

CREATE FUNCTION count_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    UPDATE user_counts SET users = users - 1
      WHERE shard = OLD.id % 16 AND is_active = OLD.is_active AND is_deleted = (OLD.deleted_at_ms IS NOT NULL);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO user_counts (shard, is_active, is_deleted, users)
      VALUES (NEW.id % 16, NEW.is_active, NEW.deleted_at_ms IS NOT NULL, 1)
      ON CONFLICT (shard, is_active, is_deleted) DO UPDATE SET users = user_counts.users + 1;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER user_counts_insert_delete AFTER INSERT OR DELETE ON users
  FOR EACH ROW EXECUTE FUNCTION count_users();
CREATE TRIGGER user_counts_update AFTER UPDATE OF is_active, deleted_at_ms ON users FOR EACH ROW
  WHEN (OLD.is_active <> NEW.is_active OR (OLD.deleted_at_ms IS NULL) <> (NEW.deleted_at_ms IS NULL))
  EXECUTE FUNCTION count_users();
