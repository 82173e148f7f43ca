-- Flow control: what is held back, what admitted tasks hold, and what operators said of queues and modules.

-- What a held task waits for, as text: tasks of one line wait for the same. Empty for plain tasks.
ALTER TABLE tasks ADD COLUMN line TEXT NOT NULL DEFAULT '';
-- 1 once the leader has admitted it: then it holds slots until it ends or waits for another attempt.
ALTER TABLE tasks ADD COLUMN slotted INTEGER NOT NULL DEFAULT 0;
-- Held: queued and not published. Others never come into this index.
CREATE INDEX tasks_held ON tasks (queue, priority, line, id) WHERE state = 'queued' AND published_at IS NULL;

-- Which admitted task holds which gate. `until`: of a task that was cancelled while it may still be running.
CREATE TABLE slots (
    gate    TEXT   NOT NULL,
    task_id BLOB   NOT NULL,
    until   BIGINT,
    PRIMARY KEY (gate, task_id)
);
CREATE INDEX slots_task ON slots (task_id);

-- Token buckets: when each would be full again.
CREATE TABLE buckets (
    meter   TEXT   NOT NULL PRIMARY KEY,
    full_at BIGINT NOT NULL
);

-- One rule of a queue or a module: JSON.
CREATE TABLE flow_rules (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    rule TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);
