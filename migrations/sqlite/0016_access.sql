-- API tokens, and who did what.

-- `hash`: SHA-256 of the 32 random bytes that prove the token. `grants`: JSON, roles by namespace.
CREATE TABLE tokens (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    hash         BLOB  NOT NULL,
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
    seq       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
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

CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- One row: what is not younger may go. It only rises.
CREATE TABLE audit_floor (
    before BIGINT NOT NULL
);
INSERT INTO audit_floor (before) VALUES (0);
CREATE TRIGGER audit_floor_only_rises BEFORE UPDATE ON audit_floor WHEN NEW.before < OLD.before BEGIN
    SELECT RAISE(ABORT, 'the floor of the audit log only rises');
END;
CREATE TRIGGER audit_floor_stays BEFORE DELETE ON audit_floor BEGIN
    SELECT RAISE(ABORT, 'the floor of the audit log only rises');
END;
CREATE TRIGGER audit_keeps_what_it_has BEFORE DELETE ON audit
WHEN OLD.at > (SELECT before FROM audit_floor) BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
