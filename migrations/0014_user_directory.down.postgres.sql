-- The extension stays: others in this database may have come to use it.
DROP TRIGGER user_counts_update ON users;
DROP TRIGGER user_counts_delete ON users;
DROP TRIGGER user_counts_insert ON users;
DROP FUNCTION count_users_over();
DROP FUNCTION count_users_out();
DROP FUNCTION count_users_in();
DROP TABLE user_counts;
DROP INDEX users_blocked;
DROP INDEX users_deleted;
DROP INDEX users_live;
DROP INDEX IF EXISTS users_search_trigrams;
DROP VIEW users_search;
DROP VIEW users_searched;
ALTER TABLE admins DROP COLUMN name_key;
ALTER TABLE users DROP COLUMN name_key;
