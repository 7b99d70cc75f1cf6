DROP INDEX refresh_tokens_unused;
DROP INDEX sessions_ended;
