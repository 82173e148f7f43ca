-- The whole life of a task: dependences, batches, replay, children, unique tasks, bulk operations.
ALTER TABLE tasks ADD COLUMN namespace TEXT NOT NULL DEFAULT 'default';
-- The ended task that this one repeats.
ALTER TABLE tasks ADD COLUMN origin BLOB;
ALTER TABLE tasks ADD COLUMN batch BLOB;
ALTER TABLE tasks ADD COLUMN name TEXT;
-- The task whose guest enqueued this one, the first of all, and the guest's name for the child.
ALTER TABLE tasks ADD COLUMN parent BLOB;
ALTER TABLE tasks ADD COLUMN root BLOB;
ALTER TABLE tasks ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN child_key TEXT;
-- How many tasks a blocked one still waits for, what a failure among them means, and its own time.
ALTER TABLE tasks ADD COLUMN waits_for INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN on_failure TEXT;
ALTER TABLE tasks ADD COLUMN not_before BIGINT;
-- 1 if another task waits, or once waited, for this one.
ALTER TABLE tasks ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;

-- Without the state, so that settling a task does not touch it.
CREATE INDEX tasks_batch ON tasks (batch, id) WHERE batch IS NOT NULL;
CREATE UNIQUE INDEX tasks_child ON tasks (parent, child_key) WHERE parent IS NOT NULL;

CREATE TABLE dependencies (
    on_id   BLOB NOT NULL,
    task_id BLOB NOT NULL,
    PRIMARY KEY (on_id, task_id)
);
CREATE INDEX dependencies_task ON dependencies (task_id);

CREATE TABLE batches (
    id         BLOB    NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    tasks      BIGINT NOT NULL
);

-- Tasks below one root, counted as they are enqueued: a quota.
CREATE TABLE trees (
    root  BLOB    NOT NULL PRIMARY KEY,
    tasks BIGINT NOT NULL
);

CREATE TABLE unique_keys (
    hash    BLOB NOT NULL PRIMARY KEY,
    task_id BLOB NOT NULL
);

CREATE TABLE operations (
    id         BLOB    NOT NULL PRIMARY KEY,
    -- What to do, to which tasks, and with what changes: JSON.
    spec       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    total      BIGINT NOT NULL,
    done       BIGINT NOT NULL,
    skipped    BIGINT NOT NULL,
    -- The last task that was looked at.
    cursor     BLOB,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX operations_running ON operations (id) WHERE state = 'running';
