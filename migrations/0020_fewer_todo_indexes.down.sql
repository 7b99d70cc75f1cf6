CREATE INDEX todos_user_id_id ON todos (user_id, id);
