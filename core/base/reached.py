"""What `rights` asks PostgreSQL's catalogs: all that the connected role may use of this database, and
the settings it begins its connections with."""

from __future__ import annotations

REACHED = """
WITH me AS (SELECT oid, rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication
            FROM pg_roles WHERE rolname = current_user),
tables AS (SELECT c.oid, c.relname, c.relowner FROM pg_class c
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')),
whole AS (
  SELECT t.oid, t.relname, p.privilege FROM tables t
  CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}'::text[]) p(privilege)
  WHERE has_table_privilege(t.oid, p.privilege)
), part AS (
  SELECT t.relname, p.privilege, string_agg(a.attname, ', ' ORDER BY a.attname) AS columns
  FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  CROSS JOIN unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) p(privilege)
  WHERE has_column_privilege(t.oid, a.attnum, p.privilege)
    AND NOT EXISTS (SELECT FROM whole w WHERE w.oid = t.oid AND w.privilege = p.privilege)
  GROUP BY 1, 2
)
SELECT relname || ': ' || privilege FROM whole
UNION ALL SELECT relname || ': ' || privilege || '(' || columns || ')' FROM part
UNION ALL SELECT c.relname || ': ' || p.privilege FROM pg_class c
  CROSS JOIN unnest('{USAGE,SELECT,UPDATE}'::text[]) p(privilege)
  WHERE c.relkind = 'S' AND c.relnamespace = 'public'::regnamespace AND has_sequence_privilege(c.oid, p.privilege)
UNION ALL SELECT f.oid::regprocedure::text || ': EXECUTE' FROM pg_proc f
  WHERE f.pronamespace = 'public'::regnamespace AND has_function_privilege(f.oid, 'EXECUTE')
UNION ALL SELECT 'table ' || t.relname || ': OWNER' FROM tables t JOIN me ON me.oid = t.relowner
UNION ALL SELECT 'schema ' || nspname || ': CREATE' FROM pg_namespace
  WHERE nspname !~ '^pg_' AND has_schema_privilege(oid, 'CREATE')
UNION ALL SELECT 'database: ' || p.privilege FROM unnest('{CREATE,TEMPORARY}'::text[]) p(privilege)
  WHERE has_database_privilege(current_database(), p.privilege)
UNION ALL SELECT 'member of ' || r.rolname FROM pg_roles r, me
  WHERE r.oid <> me.oid AND pg_has_role(me.oid, r.oid, 'MEMBER') AND NOT me.rolsuper
UNION ALL SELECT 'power: ' || power FROM me CROSS JOIN LATERAL (VALUES ('superuser', rolsuper),
  ('BYPASSRLS', rolbypassrls), ('CREATEDB', rolcreatedb), ('CREATEROLE', rolcreaterole),
  ('REPLICATION', rolreplication)) x(power, has) WHERE has
"""

OWN_SETTINGS = """
SELECT DISTINCT split_part(word, '=', 1) FROM pg_db_role_setting s, unnest(s.setconfig) word
WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY 1
"""
