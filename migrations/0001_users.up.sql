-- `username_key` is the username in lower case, so that names are unique without regard to case.
-- A deleted account keeps its row, and with it its e-mail address, username and phone.
CREATE TABLE users (
  id @id,
  email TEXT NOT NULL UNIQUE,
  username TEXT,
  username_key TEXT UNIQUE,
  name TEXT,
  phone TEXT UNIQUE,
  avatar TEXT,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  is_active BOOLEAN NOT NULL DEFAULT TRUE,
  credentials_version BIGINT NOT NULL DEFAULT 1,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT,
  deleted_at_ms BIGINT
);
