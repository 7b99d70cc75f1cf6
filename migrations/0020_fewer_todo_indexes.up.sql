-- Every list goes by a time, a priority or a title; nothing asks for the todos of an account by their ids any more. An
-- index that nobody reads is a tenth of the cost of an insert. Those that are left find an account's todos as well.
DROP INDEX todos_user_id_id;
