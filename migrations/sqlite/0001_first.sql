-- The first schema. Times are microseconds since 1970 UTC; ids are the 16 bytes of a UUIDv7; JSON is text.
CREATE TABLE tasks (
    id             BLOB    NOT NULL PRIMARY KEY,
    module_name    TEXT    NOT NULL,
    module_version TEXT    NOT NULL,
    module_digest  BLOB    NOT NULL,
    queue          TEXT    NOT NULL,
    priority       INTEGER NOT NULL,
    state          TEXT    NOT NULL,
    attempt        INTEGER NOT NULL,
    delivery       BIGINT  NOT NULL,
    -- Limits, retry policy, labels and trace context: never changed, never searched.
    spec           TEXT    NOT NULL,
    payload        BLOB    NOT NULL,
    payload_kind   TEXT    NOT NULL,
    created_at     BIGINT  NOT NULL,
    queued_at      BIGINT,
    published_at   BIGINT,
    due_at         BIGINT,
    deadline       BIGINT,
    started_at     BIGINT,
    ended_at       BIGINT,
    host           BLOB,
    -- Outcome and usage of the newest ended attempt.
    ending         TEXT,
    progress       TEXT,
    result         BLOB,
    log            TEXT
);
CREATE INDEX tasks_state ON tasks (state, id);
CREATE INDEX tasks_module ON tasks (module_name, id);
CREATE INDEX tasks_on_the_way ON tasks (queue, priority, published_at) WHERE state IN ('queued', 'running');
CREATE INDEX tasks_due ON tasks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX tasks_deadline ON tasks (deadline)
    WHERE deadline IS NOT NULL AND state IN ('scheduled', 'blocked', 'queued', 'retrying');

-- Ended attempts that another attempt followed; the newest one's facts are in the task's own row.
CREATE TABLE attempts (
    task_id    BLOB    NOT NULL,
    attempt    INTEGER NOT NULL,
    host       BLOB,
    started_at BIGINT,
    ended_at   BIGINT,
    ending     TEXT    NOT NULL,
    log        TEXT,
    PRIMARY KEY (task_id, attempt)
);

CREATE TABLE task_labels (
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    task_id BLOB NOT NULL,
    PRIMARY KEY (key, value, task_id)
);

CREATE TABLE idempotency_keys (
    key        TEXT   NOT NULL PRIMARY KEY,
    body_hash  BLOB   NOT NULL,
    task_id    BLOB   NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE module_wasm (
    digest BLOB NOT NULL PRIMARY KEY,
    bytes  BLOB NOT NULL
);

CREATE TABLE modules (
    name       TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    digest     BLOB   NOT NULL,
    kind       TEXT   NOT NULL,
    size_bytes BIGINT NOT NULL,
    manifest   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

-- One row: the highest term, and the lease that opened it.
CREATE TABLE terms (
    id         INTEGER NOT NULL PRIMARY KEY,
    generation BIGINT  NOT NULL,
    base       BIGINT  NOT NULL,
    highest    BIGINT  NOT NULL
);
INSERT INTO terms (id, generation, base, highest) VALUES (1, 0, 0, 0);
