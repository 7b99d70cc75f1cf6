DROP INDEX users_avatar;
DROP INDEX admins_avatar;
