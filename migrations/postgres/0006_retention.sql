-- How long ended tasks stay, and what of a task was removed before itself (bits: 1 payload, 2 result, 4 log).
ALTER TABLE tasks ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tasks_ended ON tasks (ended_at, id) WHERE state IN ('succeeded', 'failed', 'cancelled', 'expired');
CREATE INDEX task_labels_task ON task_labels (task_id);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- One of the scopes: '' for the default, else a name; the rule is JSON.
CREATE TABLE retention_rules (
    scope TEXT NOT NULL,
    name  TEXT NOT NULL,
    rule  TEXT NOT NULL,
    PRIMARY KEY (scope, name)
);
