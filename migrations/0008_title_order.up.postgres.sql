-- Byte by byte, as SQLite has it: one order on both engines, and on every machine.
ALTER TABLE todos ALTER COLUMN title TYPE TEXT COLLATE "C";
CREATE INDEX todos_by_title ON todos (user_id, title, id);
