-- Keys and values that guests keep between tasks, and secrets that they use.

-- One for each store that was ever written to. `store` is `module:NAME` or `shared:NAME`; the counts include what has expired and is
-- not yet removed; `revision` counts writes, so that none is given twice.
CREATE TABLE kv_stores (
    namespace  TEXT   NOT NULL,
    store      TEXT   NOT NULL,
    key_count  BIGINT NOT NULL DEFAULT 0,
    byte_count BIGINT NOT NULL DEFAULT 0,
    revision   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, store)
);

-- Keys are bytes, so that both databases order them alike.
CREATE TABLE kv_entries (
    namespace  TEXT   NOT NULL,
    store      TEXT   NOT NULL,
    entry_key  BLOB   NOT NULL,
    entry      BLOB   NOT NULL,
    revision   BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (namespace, store, entry_key)
);
CREATE INDEX kv_entries_expiry ON kv_entries (expires_at) WHERE expires_at IS NOT NULL;

-- `sealed` opens only with the key that `key_id` names, which is not in the database.
CREATE TABLE secrets (
    namespace  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    key_id     TEXT   NOT NULL,
    sealed     BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (namespace, name)
);
