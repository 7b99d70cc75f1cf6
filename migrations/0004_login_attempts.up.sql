-- What the lockout counts. `subject` is an account, or the hash of a name that belongs to none: both lock alike.
-- `pending` are guesses being judged at this moment, counted before their outcome is known.
CREATE TABLE login_attempts (
  realm TEXT NOT NULL CHECK (realm IN ('user', 'admin')),
  subject TEXT NOT NULL,
  failures BIGINT NOT NULL,
  pending BIGINT NOT NULL,
  pending_since_ms BIGINT NOT NULL,
  locked_until_ms BIGINT,
  updated_at_ms BIGINT NOT NULL,
  PRIMARY KEY (realm, subject)
);

CREATE INDEX login_attempts_updated_at_ms ON login_attempts (updated_at_ms);
