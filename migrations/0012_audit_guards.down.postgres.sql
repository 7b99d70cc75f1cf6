DROP TRIGGER audit_chain_no_return ON audit_chain;
DROP TRIGGER audit_chain_no_delete ON audit_chain;
DROP TRIGGER audit_log_no_delete ON audit_log;
DROP TRIGGER audit_log_no_truncate ON audit_log;
DROP TRIGGER audit_log_no_update ON audit_log;
DROP FUNCTION audit_refuse_return;
DROP FUNCTION audit_refuse_unreleased;
DROP FUNCTION audit_refuse;
