CREATE TABLE items (
  id @id,
  user_id BIGINT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  description TEXT,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT
);

CREATE INDEX items_by_created_at ON items (user_id, created_at_ms, id);
