-- What housekeeping looks for: ends of families that nobody can refresh any more, and sessions that were ended.
CREATE INDEX refresh_tokens_unused ON refresh_tokens (expires_at_ms) WHERE used_at_ms IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
