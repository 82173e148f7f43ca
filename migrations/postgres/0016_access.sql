-- API tokens, and who did what.

-- `hash`: SHA-256 of the 32 random bytes that prove the token. `grants`: JSON, roles by namespace.
CREATE TABLE tokens (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    hash         BYTEA  NOT NULL,
    grants       TEXT   NOT NULL,
    rate         TEXT,
    created_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT
);

-- Never changed, and removed only behind the floor, which the database itself sees to. `namespace` is empty for what is the cluster's.
CREATE TABLE audit (
    seq       BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        BIGINT  NOT NULL,
    actor     TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    target    TEXT    NOT NULL,
    namespace TEXT    NOT NULL,
    status    INTEGER NOT NULL,
    request   TEXT    NOT NULL
);
CREATE INDEX audit_namespace ON audit (namespace, seq);
CREATE INDEX audit_actor ON audit (actor, seq);

-- One row: what is not younger may go. It only rises.
CREATE TABLE audit_floor (
    before BIGINT NOT NULL
);
INSERT INTO audit_floor (before) VALUES (0);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

CREATE FUNCTION audit_goes_behind_the_floor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at > (SELECT before FROM audit_floor) THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER audit_keeps_what_it_has BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_goes_behind_the_floor();

CREATE FUNCTION audit_floor_only_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.before >= OLD.before THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the floor of the audit log only rises';
END
$$;
CREATE TRIGGER audit_floor_rises BEFORE UPDATE OR DELETE ON audit_floor
    FOR EACH ROW EXECUTE FUNCTION audit_floor_only_rises();
