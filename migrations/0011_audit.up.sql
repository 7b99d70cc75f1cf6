-- The trail of what was done, by whom and to whom: rows that are only ever added, each with the hash of the one
-- before it. No column refers to an account, because a row outlives what it tells of.
CREATE TABLE audit_log (
  seq @id,
  at_ms BIGINT NOT NULL,
  event TEXT NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'admin', 'operator', 'nobody')),
  actor_id BIGINT,
  subject_realm TEXT CHECK (subject_realm IN ('user', 'admin')),
  subject_id BIGINT,
  client_address TEXT,
  request_id TEXT,
  detail TEXT NOT NULL,
  previous_hash BYTEA NOT NULL,
  hash BYTEA NOT NULL,
  key_id TEXT NOT NULL,
  seal BYTEA NOT NULL
);

CREATE INDEX audit_log_event ON audit_log (event, seq);
CREATE INDEX audit_log_actor ON audit_log (actor_kind, actor_id, seq);
CREATE INDEX audit_log_subject ON audit_log (subject_realm, subject_id, seq);
CREATE INDEX audit_log_at_ms ON audit_log (at_ms);

-- One row: the end of the chain, which every write takes and holds while it adds to it, and how far from the
-- beginning the trail may be deleted.
CREATE TABLE audit_chain (
  id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  head_seq BIGINT NOT NULL,
  head_hash BYTEA,
  released_seq BIGINT NOT NULL
);

INSERT INTO audit_chain (id, head_seq, head_hash, released_seq) VALUES (1, 0, NULL, 0);
