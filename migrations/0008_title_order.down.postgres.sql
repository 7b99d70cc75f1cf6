DROP INDEX todos_by_title;
ALTER TABLE todos ALTER COLUMN title TYPE TEXT COLLATE "default";
