DROP INDEX todos_by_title;
