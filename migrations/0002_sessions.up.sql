-- A session is a family of refresh tokens: one token that stays good (cookie), or one replaced at each use (rotating).
-- `ends_at_ms` is where even rotation ends, `ended_at_ms` when the session was revoked.
CREATE TABLE sessions (
  id @id,
  user_id BIGINT NOT NULL REFERENCES users (id),
  kind TEXT NOT NULL CHECK (kind IN ('cookie', 'rotating')),
  created_at_ms BIGINT NOT NULL,
  last_used_at_ms BIGINT NOT NULL,
  ends_at_ms BIGINT,
  ended_at_ms BIGINT,
  client_address TEXT,
  user_agent TEXT
);

CREATE INDEX sessions_user_id ON sessions (user_id);

-- Only the SHA-256 of a token is kept. `used_at_ms` is when it was rotated: a token used twice was stolen.
CREATE TABLE refresh_tokens (
  id @id,
  session_id BIGINT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  token_hash BYTEA NOT NULL UNIQUE,
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  used_at_ms BIGINT
);

CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expires_at_ms ON refresh_tokens (expires_at_ms);
