-- Recurring schedules, and what happened at their newest instants.
CREATE TABLE schedules (
    name         TEXT   NOT NULL PRIMARY KEY,
    -- When it fires and what it submits: JSON.
    rules        TEXT   NOT NULL,
    template     TEXT   NOT NULL,
    payload      BYTEA    NOT NULL,
    payload_kind TEXT   NOT NULL,
    activity     TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    next_at      BIGINT,
    last_task    BYTEA,
    fired        BIGINT NOT NULL DEFAULT 0,
    skipped      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL AND activity = 'active';

-- One row for each instant: it becomes a task once, whoever leads.
CREATE TABLE firings (
    schedule TEXT   NOT NULL,
    instant  BIGINT NOT NULL,
    task_id  BYTEA,
    passed   TEXT,
    PRIMARY KEY (schedule, instant)
);
