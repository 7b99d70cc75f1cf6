-- What the back office needs to list and search a million users.

-- The name in lower case, as `username_key` is for the username: SQL alone lowers ASCII on one engine.
ALTER TABLE users ADD COLUMN name_key TEXT;
ALTER TABLE admins ADD COLUMN name_key TEXT;
UPDATE users SET name_key = lower(name);
UPDATE admins SET name_key = lower(name);

CREATE VIEW users_searched AS
  SELECT id, email || char(10) || coalesce(username_key, '') || char(10) || coalesce(name_key, '') || char(10)
    || coalesce(phone, '') AS text
  FROM users;

-- Every three letters that follow one another, so that a part of a word is found without reading every row.
CREATE VIRTUAL TABLE users_search USING fts5(
  text, content = 'users_searched', content_rowid = 'id', tokenize = 'trigram'
);
INSERT INTO users_search (users_search) VALUES ('rebuild');

CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
  INSERT INTO users_search (rowid, text) SELECT id, text FROM users_searched WHERE id = new.id;
END;
-- The index is told what it held before, so that is read before it changes.
CREATE TRIGGER users_search_before_update BEFORE UPDATE OF email, username_key, name_key, phone ON users BEGIN
  INSERT INTO users_search (users_search, rowid, text)
    SELECT 'delete', id, text FROM users_searched WHERE id = old.id;
END;
CREATE TRIGGER users_search_after_update AFTER UPDATE OF email, username_key, name_key, phone ON users BEGIN
  INSERT INTO users_search (rowid, text) SELECT id, text FROM users_searched WHERE id = new.id;
END;
CREATE TRIGGER users_search_delete BEFORE DELETE ON users BEGIN
  INSERT INTO users_search (users_search, rowid, text)
    SELECT 'delete', id, text FROM users_searched WHERE id = old.id;
END;

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

CREATE TRIGGER user_counts_insert AFTER INSERT ON users BEGIN
  INSERT INTO user_counts (shard, is_active, is_deleted, users)
    VALUES (new.id % 16, new.is_active, new.deleted_at_ms IS NOT NULL, 1)
    ON CONFLICT (shard, is_active, is_deleted) DO UPDATE SET users = users + 1;
END;
CREATE TRIGGER user_counts_update AFTER UPDATE OF is_active, deleted_at_ms ON users
WHEN old.is_active <> new.is_active OR (old.deleted_at_ms IS NULL) <> (new.deleted_at_ms IS NULL) BEGIN
  UPDATE user_counts SET users = users - 1
    WHERE shard = old.id % 16 AND is_active = old.is_active AND is_deleted = (old.deleted_at_ms IS NOT NULL);
  INSERT INTO user_counts (shard, is_active, is_deleted, users)
    VALUES (new.id % 16, new.is_active, new.deleted_at_ms IS NOT NULL, 1)
    ON CONFLICT (shard, is_active, is_deleted) DO UPDATE SET users = users + 1;
END;
CREATE TRIGGER user_counts_delete AFTER DELETE ON users BEGIN
  UPDATE user_counts SET users = users - 1
    WHERE shard = old.id % 16 AND is_active = old.is_active AND is_deleted = (old.deleted_at_ms IS NOT NULL);
END;
