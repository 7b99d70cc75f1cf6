-- The answers to requests that came with an Idempotency-Key, kept with what they made, so that a retry gets the
-- same answer again. `owner` is an account (`user:7`) or, before anybody has logged in, a client's address;
-- `fingerprint` stands for the whole request under the server's secret, since a body may hold a password.
CREATE TABLE idempotency_keys (
  key TEXT NOT NULL,
  owner TEXT NOT NULL,
  fingerprint BYTEA NOT NULL,
  status BIGINT NOT NULL,
  headers TEXT NOT NULL,
  body TEXT,
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  PRIMARY KEY (key, owner)
);

CREATE INDEX idempotency_keys_expires_at_ms ON idempotency_keys (expires_at_ms);
