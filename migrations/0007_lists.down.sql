ALTER TABLE todos DROP COLUMN description_key;
ALTER TABLE todos DROP COLUMN title_key;
DROP INDEX users_by_created_at;
DROP INDEX todos_by_priority;
DROP INDEX todos_by_updated_at;
DROP INDEX todos_by_created_at;
