-- The extension stays: others in this database may have come to use it.
DROP TRIGGER user_counts_update ON users;
DROP TRIGGER user_counts_insert_delete ON users;
DROP FUNCTION count_users();
DROP TABLE user_counts;
DROP INDEX IF EXISTS users_search_trigrams;
DROP VIEW users_search;
ALTER TABLE admins DROP COLUMN name_key;
ALTER TABLE users DROP COLUMN name_key;
