"""Fleet operators below a depot operator: a tree of depth two, and who sees what across it.

An organisation sees its own rows; these besides, read only and by policies of their own:

- a depot operator its operators' vehicles, tokens and duties (``voltyard.below``);
- a fleet operator the sessions of its vehicles with their meter values, forecasts of its duties,
  refusals of its tokens; and, where a transaction asks for places, the sites it is admitted to
  with their areas and bays (``voltyard.sites``).

``voltyard_scope`` finds both lists once a transaction, from what the organisation itself may see.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ME = "(SELECT nullif(current_setting('voltyard.org_id', true), '')::uuid)"
SYSTEM = "(SELECT current_setting('voltyard.system', true) = 'on')"
BELOW = "(SELECT nullif(current_setting('voltyard.below', true), ''))::uuid[]"
SITES = "(SELECT nullif(current_setting('voltyard.sites', true), ''))::uuid[]"
MINE = f"org_id = {ME} OR {SYSTEM}"

TREE = (
    "ALTER TABLE organisations ADD COLUMN parent_id uuid REFERENCES organisations,"
    " ADD COLUMN active boolean NOT NULL DEFAULT true,"
    " ADD COLUMN best_priority int NOT NULL DEFAULT 1 CHECK (best_priority BETWEEN 1 AND 9)",
    "ALTER TABLE login_sessions ADD COLUMN acting_org_id uuid",
    "CREATE INDEX organisations_parent ON organisations (parent_id) WHERE parent_id IS NOT NULL",
    """
CREATE FUNCTION voltyard_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN
      RAISE EXCEPTION 'an organisation stays where it was created'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'organisations_stay';
    END IF;
  ELSIF NEW.parent_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM organisations WHERE id = NEW.parent_id AND parent_id IS NULL) THEN
    RAISE EXCEPTION 'a fleet operator has no operators'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'organisations_depth';
  END IF;
  RETURN NEW;
END $$
""",
    "CREATE TRIGGER organisations_tree BEFORE INSERT OR UPDATE ON organisations"
    " FOR EACH ROW EXECUTE FUNCTION voltyard_tree()",
    """
CREATE TABLE operator_sites (
  operator_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, org_id uuid NOT NULL,
  area_ids uuid[] NOT NULL DEFAULT '{}', PRIMARY KEY (operator_id, site_id))
""",
    "CREATE INDEX operator_sites_org ON operator_sites (org_id)",
    """
CREATE FUNCTION voltyard_scope(org text, is_system boolean, places boolean) RETURNS void
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE below text := ''; sites text := '';
BEGIN
  PERFORM set_config('voltyard.org_id', org, true),
    set_config('voltyard.system', CASE WHEN is_system THEN 'on' ELSE 'off' END, true);
  IF org <> '' THEN
    SELECT coalesce(array_agg(id)::text, '') INTO below
      FROM organisations WHERE parent_id = org::uuid;
    IF places THEN
      SELECT coalesce(array_agg(site_id)::text, '') INTO sites
        FROM operator_sites WHERE operator_id = org::uuid;
    END IF;
  END IF;
  PERFORM set_config('voltyard.below', below, true), set_config('voltyard.sites', sites, true);
END $$
""",
)

FLEETS = (
    "ALTER TABLE sessions ADD COLUMN fleet_org_id uuid,"
    " ADD COLUMN authorisation_reason text NOT NULL DEFAULT ''",
    "CREATE INDEX sessions_fleet ON sessions (fleet_org_id, started_at DESC)"
    " WHERE fleet_org_id IS NOT NULL",
    "ALTER TABLE refusals ADD COLUMN fleet_org_id uuid",
    "CREATE INDEX refusals_fleet ON refusals (fleet_org_id, at DESC)"
    " WHERE fleet_org_id IS NOT NULL",
    "ALTER TABLE tokens ADD COLUMN root_org_id uuid",
    "SELECT set_config('voltyard.system', 'on', true)",
    "UPDATE tokens SET root_org_id = org_id",
    "SELECT set_config('voltyard.system', 'off', true)",
    "ALTER TABLE tokens ALTER COLUMN root_org_id SET NOT NULL",
    """
CREATE FUNCTION voltyard_root() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT coalesce(parent_id, id) INTO NEW.root_org_id FROM organisations WHERE id = NEW.org_id;
  RETURN NEW;
END $$
""",
    "CREATE TRIGGER tokens_root BEFORE INSERT OR UPDATE OF org_id ON tokens"
    " FOR EACH ROW EXECUTE FUNCTION voltyard_root()",
    "DROP INDEX tokens_value",
    "CREATE UNIQUE INDEX tokens_value ON tokens (root_org_id, lower(value))",
    "CREATE INDEX tokens_org ON tokens (org_id)",
    "ALTER TABLE duties DROP CONSTRAINT duties_site_id_source_external_id_key",
    "ALTER TABLE duties ADD CONSTRAINT duties_external"
    " UNIQUE (site_id, source, external_id, org_id)",
)

RULES = (
    """
CREATE TABLE access_rules (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations,
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE,
  area_id uuid REFERENCES areas ON DELETE CASCADE, evse_id uuid REFERENCES evses ON DELETE CASCADE,
  position int NOT NULL DEFAULT 0, name text NOT NULL, active boolean NOT NULL DEFAULT true,
  allow boolean NOT NULL, who text NOT NULL, operator_ids uuid[] NOT NULL DEFAULT '{}',
  names text[] NOT NULL DEFAULT '{}', weekdays int[] NOT NULL DEFAULT '{}',
  from_minute int, until_minute int, keep_free int NOT NULL DEFAULT 0,
  CHECK (area_id IS NULL OR evse_id IS NULL),
  CHECK ((from_minute IS NULL) = (until_minute IS NULL)))
""",
    "CREATE INDEX access_rules_site ON access_rules (site_id)",
)

SHOWN = {
    "vehicles": ("below", f"org_id = ANY ({BELOW})"),
    "tokens": ("below", f"org_id = ANY ({BELOW})"),
    "duties": ("below", f"org_id = ANY ({BELOW})"),
    "sessions": ("fleet", f"fleet_org_id = {ME}"),
    "refusals": ("fleet", f"fleet_org_id = {ME}"),
    "meter_values": (
        "fleet",
        "EXISTS (SELECT 1 FROM sessions s WHERE s.id = session_id"
        f" AND s.fleet_org_id = {ME} AND s.org_id = meter_values.org_id)",
    ),
    "forecasts": (
        "fleet",
        f"EXISTS (SELECT 1 FROM duties d WHERE d.id = duty_id AND d.org_id = {ME})",
    ),
    "operator_sites": ("fleet", f"operator_id = {ME}"),
    "sites": ("places", f"id = ANY ({SITES})"),
    "areas": ("places", f"site_id = ANY ({SITES})"),
    "bays": ("places", f"site_id = ANY ({SITES})"),
}
"""Read only; what may be written stays one's own."""


def upgrade() -> None:
    for step in (*TREE, *FLEETS, *RULES):
        op.execute(step)
    for table in ("operator_sites", "access_rules"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")
    for table, (name, rule) in SHOWN.items():
        op.execute(f"CREATE POLICY {name} ON {table} FOR SELECT USING ({rule})")
    tree = f"{MINE} OR parent_id = {ME}"
    op.execute(f"ALTER POLICY tenant ON organisations USING ({tree}) WITH CHECK ({tree})")
    op.execute(
        "CREATE POLICY admitted ON duties AS RESTRICTIVE FOR INSERT WITH CHECK"
        f" ({SYSTEM} OR EXISTS (SELECT 1 FROM sites s WHERE s.id = site_id AND s.org_id = {ME})"
        " OR EXISTS (SELECT 1 FROM operator_sites o WHERE o.site_id = duties.site_id"
        f" AND o.operator_id = {ME}))"
    )
    for verb in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE POLICY own_{verb.lower()} ON operator_sites AS RESTRICTIVE FOR {verb}"
            f" WITH CHECK ({SYSTEM} OR (EXISTS (SELECT 1 FROM sites s WHERE s.id = site_id"
            f" AND s.org_id = {ME}) AND EXISTS (SELECT 1 FROM organisations o"
            f" WHERE o.id = operator_id AND o.parent_id = {ME})))"
        )
    op.execute("GRANT EXECUTE ON FUNCTION voltyard_scope(text, boolean, boolean) TO voltyard_app")
