CREATE TABLE todos (
  id @id,
  user_id BIGINT NOT NULL REFERENCES users (id),
  title TEXT NOT NULL,
  description TEXT,
  completed BOOLEAN NOT NULL DEFAULT FALSE,
  priority TEXT NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high')),
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT
);

CREATE INDEX todos_user_id_id ON todos (user_id, id);
