-- SQLite compares texts byte by byte as they are.
CREATE INDEX todos_by_title ON todos (user_id, title, id);
