-- Recurring schedules, and what became of their instants.
CREATE TABLE schedules (
    name         TEXT    NOT NULL PRIMARY KEY,
    expression   TEXT    NOT NULL,
    zone         TEXT    NOT NULL,
    -- The task without its payload, as JSON: never searched.
    template     TEXT    NOT NULL,
    payload      BLOB    NOT NULL,
    payload_kind TEXT    NOT NULL,
    overlap      TEXT    NOT NULL,
    missed       TEXT    NOT NULL,
    window_ms    BIGINT  NOT NULL,
    jitter_ms    BIGINT  NOT NULL,
    activity     TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    revision     BIGINT  NOT NULL,
    -- The first instant that has not been handled.
    next_at      BIGINT,
    last_instant BIGINT,
    last_kind    TEXT,
    last_task    BLOB,
    fired        BIGINT  NOT NULL,
    skipped      BIGINT  NOT NULL
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE activity = 'active' AND next_at IS NOT NULL;

-- One row for each handled instant, the newest hundred of each schedule: the key is what makes an instant fire once.
CREATE TABLE firings (
    schedule TEXT   NOT NULL,
    instant  BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    task_id  BLOB,
    count    BIGINT NOT NULL,
    detail   TEXT,
    at       BIGINT NOT NULL,
    PRIMARY KEY (schedule, instant)
);
