// Written by `latchkey migrate new`, so that the compiled binary carries the files of this folder.
import text0 from "./0001_users.down.sql" with { type: "text" };
import text1 from "./0001_users.up.sql" with { type: "text" };
import text2 from "./0002_sessions.down.sql" with { type: "text" };
import text3 from "./0002_sessions.up.sql" with { type: "text" };
import text4 from "./0003_todos.down.sql" with { type: "text" };
import text5 from "./0003_todos.up.sql" with { type: "text" };
import text6 from "./0004_login_attempts.down.sql" with { type: "text" };
import text7 from "./0004_login_attempts.up.sql" with { type: "text" };
import text8 from "./0005_admins.down.sql" with { type: "text" };
import text9 from "./0005_admins.up.sql" with { type: "text" };
import text10 from "./0006_versions.down.sql" with { type: "text" };
import text11 from "./0006_versions.up.sql" with { type: "text" };
import text12 from "./0007_lists.down.sql" with { type: "text" };
import text13 from "./0007_lists.up.sql" with { type: "text" };
import text14 from "./0008_title_order.down.postgres.sql" with { type: "text" };
import text15 from "./0008_title_order.down.sql" with { type: "text" };
import text16 from "./0008_title_order.up.postgres.sql" with { type: "text" };
import text17 from "./0008_title_order.up.sql" with { type: "text" };
import text18 from "./0009_items.down.sql" with { type: "text" };
import text19 from "./0009_items.up.sql" with { type: "text" };
import text20 from "./0010_personal_tokens.down.sql" with { type: "text" };
import text21 from "./0010_personal_tokens.up.sql" with { type: "text" };
import text22 from "./0011_audit.down.sql" with { type: "text" };
import text23 from "./0011_audit.up.sql" with { type: "text" };
import text24 from "./0012_audit_guards.down.postgres.sql" with { type: "text" };
import text25 from "./0012_audit_guards.down.sqlite.sql" with { type: "text" };
import text26 from "./0012_audit_guards.up.postgres.sql" with { type: "text" };
import text27 from "./0012_audit_guards.up.sqlite.sql" with { type: "text" };
import text28 from "./0013_housekeeping.down.sql" with { type: "text" };
import text29 from "./0013_housekeeping.up.sql" with { type: "text" };
import text30 from "./0014_user_directory.down.postgres.sql" with { type: "text" };
import text31 from "./0014_user_directory.down.sqlite.sql" with { type: "text" };
import text32 from "./0014_user_directory.up.postgres.sql" with { type: "text" };
import text33 from "./0014_user_directory.up.sqlite.sql" with { type: "text" };
import text34 from "./0015_idempotency_keys.down.sql" with { type: "text" };
import text35 from "./0015_idempotency_keys.up.sql" with { type: "text" };
import text36 from "./0016_imports.down.sql" with { type: "text" };
import text37 from "./0016_imports.up.sql" with { type: "text" };
import text38 from "./0017_avatars_named.down.sql" with { type: "text" };
import text39 from "./0017_avatars_named.up.sql" with { type: "text" };
import text40 from "./0018_long_runs.down.postgres.sql" with { type: "text" };
import text41 from "./0018_long_runs.down.sqlite.sql" with { type: "text" };
import text42 from "./0018_long_runs.up.postgres.sql" with { type: "text" };
import text43 from "./0018_long_runs.up.sqlite.sql" with { type: "text" };
import text44 from "./0019_users_newest_first.down.postgres.sql" with { type: "text" };
import text45 from "./0019_users_newest_first.down.sqlite.sql" with { type: "text" };
import text46 from "./0019_users_newest_first.up.postgres.sql" with { type: "text" };
import text47 from "./0019_users_newest_first.up.sqlite.sql" with { type: "text" };
import text48 from "./0020_fewer_todo_indexes.down.sql" with { type: "text" };
import text49 from "./0020_fewer_todo_indexes.up.sql" with { type: "text" };

export const migrationFiles: Readonly<Record<string, string>> = {
  "0001_users.down.sql": text0,
  "0001_users.up.sql": text1,
  "0002_sessions.down.sql": text2,
  "0002_sessions.up.sql": text3,
  "0003_todos.down.sql": text4,
  "0003_todos.up.sql": text5,
  "0004_login_attempts.down.sql": text6,
  "0004_login_attempts.up.sql": text7,
  "0005_admins.down.sql": text8,
  "0005_admins.up.sql": text9,
  "0006_versions.down.sql": text10,
  "0006_versions.up.sql": text11,
  "0007_lists.down.sql": text12,
  "0007_lists.up.sql": text13,
  "0008_title_order.down.postgres.sql": text14,
  "0008_title_order.down.sql": text15,
  "0008_title_order.up.postgres.sql": text16,
  "0008_title_order.up.sql": text17,
  "0009_items.down.sql": text18,
  "0009_items.up.sql": text19,
  "0010_personal_tokens.down.sql": text20,
  "0010_personal_tokens.up.sql": text21,
  "0011_audit.down.sql": text22,
  "0011_audit.up.sql": text23,
  "0012_audit_guards.down.postgres.sql": text24,
  "0012_audit_guards.down.sqlite.sql": text25,
  "0012_audit_guards.up.postgres.sql": text26,
  "0012_audit_guards.up.sqlite.sql": text27,
  "0013_housekeeping.down.sql": text28,
  "0013_housekeeping.up.sql": text29,
  "0014_user_directory.down.postgres.sql": text30,
  "0014_user_directory.down.sqlite.sql": text31,
  "0014_user_directory.up.postgres.sql": text32,
  "0014_user_directory.up.sqlite.sql": text33,
  "0015_idempotency_keys.down.sql": text34,
  "0015_idempotency_keys.up.sql": text35,
  "0016_imports.down.sql": text36,
  "0016_imports.up.sql": text37,
  "0017_avatars_named.down.sql": text38,
  "0017_avatars_named.up.sql": text39,
  "0018_long_runs.down.postgres.sql": text40,
  "0018_long_runs.down.sqlite.sql": text41,
  "0018_long_runs.up.postgres.sql": text42,
  "0018_long_runs.up.sqlite.sql": text43,
  "0019_users_newest_first.down.postgres.sql": text44,
  "0019_users_newest_first.down.sqlite.sql": text45,
  "0019_users_newest_first.up.postgres.sql": text46,
  "0019_users_newest_first.up.sqlite.sql": text47,
  "0020_fewer_todo_indexes.down.sql": text48,
  "0020_fewer_todo_indexes.up.sql": text49,
};
