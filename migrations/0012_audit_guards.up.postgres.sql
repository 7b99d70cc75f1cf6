-- A row of the trail is never changed, and only deleted where retention has released it. Whoever owns the database
-- can drop these triggers: they keep mistakes out, and `latchkey audit verify` finds the rest.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is only added to';
END
$$;

CREATE FUNCTION audit_refuse_unreleased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq > (SELECT released_seq FROM audit_chain WHERE id = 1) THEN
    RAISE EXCEPTION 'the audit trail is only added to';
  END IF;
  RETURN OLD;
END
$$;

CREATE FUNCTION audit_refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.head_seq < OLD.head_seq OR NEW.released_seq < OLD.released_seq OR NEW.released_seq > NEW.head_seq THEN
    RAISE EXCEPTION 'the audit trail only grows';
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_unreleased();
CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_chain
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_chain_no_return BEFORE UPDATE ON audit_chain
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_return();
