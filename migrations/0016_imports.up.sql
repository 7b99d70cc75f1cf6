-- What was taken from the databases of other backends: a row for each of their tables. Ids are kept from above
-- `ids_above`, the last one that had been given here when the import began, to `ids_up_to`: one below may have been
-- the id of somebody who is gone, and whose tokens must not become another's.
CREATE TABLE imports (
  id @id,
  source TEXT NOT NULL,
  source_table TEXT NOT NULL,
  ids_above BIGINT NOT NULL,
  ids_up_to BIGINT NOT NULL,
  started_at_ms BIGINT NOT NULL,
  UNIQUE (source, source_table)
);

-- Where each row went, so that none is taken twice. `target_id` refers to no table: what was removed here since does
-- not come back with the next run.
CREATE TABLE imported_rows (
  import_id BIGINT NOT NULL REFERENCES imports (id),
  source_key TEXT NOT NULL,
  target_id BIGINT NOT NULL,
  PRIMARY KEY (import_id, source_key)
);
