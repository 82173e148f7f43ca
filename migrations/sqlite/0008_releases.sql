-- Aliases of modules, versions that are switched off, and what was done to modules.

-- Since when no new tasks of it are taken.
ALTER TABLE modules ADD COLUMN disabled_at BIGINT;

-- routes and previous: JSON, a list of versions with weights.
CREATE TABLE module_aliases (
    module     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    routes     TEXT   NOT NULL,
    previous   TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (module, name)
);

-- Never changed and never removed: who looks for what happened finds it here.
CREATE TABLE module_events (
    seq    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    module TEXT    NOT NULL,
    at     BIGINT  NOT NULL,
    action TEXT    NOT NULL
);
CREATE INDEX module_events_module ON module_events (module, seq);

-- A version that was removed: its number stays that of its bytes.
CREATE TABLE removed_modules (
    name       TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    digest     BLOB   NOT NULL,
    removed_at BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);
