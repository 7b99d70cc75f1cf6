-- Administrators are a realm of their own: the same shape as users, with nothing in common but that.
CREATE TABLE admins (
  id @id,
  email TEXT NOT NULL UNIQUE,
  username TEXT,
  username_key TEXT UNIQUE,
  name TEXT,
  phone TEXT UNIQUE,
  avatar TEXT,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL DEFAULT 'admin' CHECK (role IN ('user', 'admin')),
  is_active BOOLEAN NOT NULL DEFAULT TRUE,
  credentials_version BIGINT NOT NULL DEFAULT 1,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT,
  deleted_at_ms BIGINT
);
