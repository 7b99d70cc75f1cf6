-- A search for one of a million users by runs of three letters reads ten thousand ids of each of them. By runs of five
-- it reads a hundred.

-- The trigrams again, without where in a text each stands: nothing asks for it, and it was two thirds of the index.
DROP TRIGGER users_search_delete;
DROP TRIGGER users_search_after_update;
DROP TRIGGER users_search_before_update;
DROP TRIGGER users_search_insert;
DROP TABLE users_search;
CREATE VIRTUAL TABLE users_search USING fts5(
  text, content = 'users_searched', content_rowid = 'id', tokenize = 'trigram', detail = 'none'
);
INSERT INTO users_search (users_search) VALUES ('rebuild');

-- Every five letters that follow one another, each as a word: in hexadecimal, so that no letter in them ends it. The
-- text goes along with each place, or it would be put together anew for each.
CREATE VIEW users_long_runs AS
  SELECT id, (
    WITH RECURSIVE place (rest, behind) AS (
      SELECT text, length(text) - 5 UNION ALL SELECT substr(rest, 2), behind - 1 FROM place WHERE behind > 0
    )
    SELECT group_concat(hex(substr(rest, 1, 5)), ' ') FROM place
  ) AS runs
  FROM users_searched;
CREATE VIRTUAL TABLE users_search_long USING fts5(
  runs, content = 'users_long_runs', content_rowid = 'id', tokenize = 'ascii', detail = 'none', columnsize = 0
);
INSERT INTO users_search_long (users_search_long) VALUES ('rebuild');

CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
  INSERT INTO users_search (rowid, text) SELECT id, text FROM users_searched WHERE id = new.id;
  INSERT INTO users_search_long (rowid, runs) SELECT id, runs FROM users_long_runs WHERE id = new.id;
END;
-- An index is told what it held before, so that is read before it changes.
CREATE TRIGGER users_search_before_update BEFORE UPDATE OF email, username_key, name_key, phone ON users BEGIN
  INSERT INTO users_search (users_search, rowid, text)
    SELECT 'delete', id, text FROM users_searched WHERE id = old.id;
  INSERT INTO users_search_long (users_search_long, rowid, runs)
    SELECT 'delete', id, runs FROM users_long_runs WHERE id = old.id;
END;
CREATE TRIGGER users_search_after_update AFTER UPDATE OF email, username_key, name_key, phone ON users BEGIN
  INSERT INTO users_search (rowid, text) SELECT id, text FROM users_searched WHERE id = new.id;
  INSERT INTO users_search_long (rowid, runs) SELECT id, runs FROM users_long_runs WHERE id = new.id;
END;
CREATE TRIGGER users_search_delete BEFORE DELETE ON users BEGIN
  INSERT INTO users_search (users_search, rowid, text)
    SELECT 'delete', id, text FROM users_searched WHERE id = old.id;
  INSERT INTO users_search_long (users_search_long, rowid, runs)
    SELECT 'delete', id, runs FROM users_long_runs WHERE id = old.id;
END;
