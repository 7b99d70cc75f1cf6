-- `version` grows with every change of a row, so that someone who changes it can say which state of it they saw.
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE admins ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE todos ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
