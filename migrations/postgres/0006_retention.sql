-- How long ended tasks stay, and what of a task was removed before itself (bits: 1 payload, 2 result, 4 log).
ALTER TABLE tasks ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
-- In the order in which they are removed. The only one of these that every task's end has to write. Said by what is not in it: SQLite
-- would look up a list of states in their own index, and sort.
CREATE INDEX tasks_ended ON tasks (ended_at, id) WHERE state NOT IN ('scheduled', 'blocked', 'queued', 'running', 'retrying');
-- Which batches go on: their tasks stay, so that they are counted to the end. Tasks without a batch never come into it.
CREATE INDEX tasks_batch_open ON tasks (batch)
    WHERE batch IS NOT NULL AND state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying');
CREATE INDEX tasks_root ON tasks (root) WHERE root IS NOT NULL;
CREATE INDEX task_labels_task ON task_labels (task_id);
CREATE INDEX unique_keys_task ON unique_keys (task_id);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
CREATE INDEX firings_instant ON firings (instant);
CREATE INDEX operations_ended ON operations (ended_at) WHERE ended_at IS NOT NULL;

-- One of the scopes: '' for the default, else a name; the rule is JSON.
CREATE TABLE retention_rules (
    scope TEXT NOT NULL,
    name  TEXT NOT NULL,
    rule  TEXT NOT NULL,
    PRIMARY KEY (scope, name)
);
