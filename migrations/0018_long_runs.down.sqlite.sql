DROP TRIGGER users_search_delete;
DROP TRIGGER users_search_after_update;
DROP TRIGGER users_search_before_update;
DROP TRIGGER users_search_insert;
DROP TABLE users_search_long;
DROP VIEW users_long_runs;
DROP TABLE users_search;
CREATE VIRTUAL TABLE users_search USING fts5(
  text, content = 'users_searched', content_rowid = 'id', tokenize = 'trigram'
);
INSERT INTO users_search (users_search) VALUES ('rebuild');

CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
  INSERT INTO users_search (rowid, text) SELECT id, text FROM users_searched WHERE id = new.id;
END;
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
