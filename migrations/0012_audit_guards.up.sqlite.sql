-- A row of the trail is never changed, and only deleted where retention has released it. Whoever owns the database
-- can drop these triggers: they keep mistakes out, and `latchkey audit verify` finds the rest.
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
WHEN OLD.seq > (SELECT released_seq FROM audit_chain WHERE id = 1)
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_chain
BEGIN
  SELECT RAISE(ABORT, 'the audit trail has one end');
END;

CREATE TRIGGER audit_chain_no_return BEFORE UPDATE ON audit_chain
WHEN NEW.head_seq < OLD.head_seq OR NEW.released_seq < OLD.released_seq OR NEW.released_seq > NEW.head_seq
BEGIN
  SELECT RAISE(ABORT, 'the audit trail only grows');
END;
