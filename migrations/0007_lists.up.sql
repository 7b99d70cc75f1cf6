-- What lists are sorted by, each order with the id that decides between equals. The expressions are written as in
-- src/storage/todos.ts: an index serves a query that says the same. A todo that never changed stands where it was
-- made.
CREATE INDEX todos_by_created_at ON todos (user_id, created_at_ms, id);
CREATE INDEX todos_by_updated_at ON todos (user_id, (COALESCE(updated_at_ms, created_at_ms)), id);
CREATE INDEX todos_by_priority ON todos
  (user_id, (CASE priority WHEN 'low' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END), id);
CREATE INDEX users_by_created_at ON users (created_at_ms, id) WHERE deleted_at_ms IS NULL;

-- What a search looks in: title and description without their case, which neither engine can take away alike.
-- Null in rows of the program before this one.
ALTER TABLE todos ADD COLUMN title_key TEXT;
ALTER TABLE todos ADD COLUMN description_key TEXT;
