-- Which of the files in the folder or the bucket an account names: housekeeping asks for each of them.
CREATE INDEX users_avatar ON users (avatar) WHERE avatar IS NOT NULL;
CREATE INDEX admins_avatar ON admins (avatar) WHERE avatar IS NOT NULL;
