DROP TRIGGER audit_chain_no_return;
DROP TRIGGER audit_chain_no_delete;
DROP TRIGGER audit_log_no_delete;
DROP TRIGGER audit_log_no_update;
