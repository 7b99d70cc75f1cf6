-- A token belongs to one account of one realm: the other column is null. Only the SHA-256 of a token is kept, and
-- of its text as much as tells it from its owner's others. `scopes` are words parted by a space; null is all that
-- the owner may.
CREATE TABLE personal_tokens (
  id @id,
  user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
  admin_id BIGINT REFERENCES admins (id) ON DELETE CASCADE,
  name TEXT,
  prefix TEXT NOT NULL,
  token_hash BYTEA NOT NULL UNIQUE,
  scopes TEXT,
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT,
  last_used_at_ms BIGINT,
  CHECK ((user_id IS NULL) <> (admin_id IS NULL))
);

CREATE INDEX personal_tokens_user_id ON personal_tokens (user_id);
CREATE INDEX personal_tokens_admin_id ON personal_tokens (admin_id);
CREATE INDEX personal_tokens_expires_at_ms ON personal_tokens (expires_at_ms);
