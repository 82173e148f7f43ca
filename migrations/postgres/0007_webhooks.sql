-- Endpoints that are told of ends, what is to be told to each, and batches that may have ended.
CREATE TABLE webhooks (
    name         TEXT   NOT NULL PRIMARY KEY,
    url          TEXT   NOT NULL,
    -- Which events, of which tasks: JSON.
    events       TEXT   NOT NULL,
    filter       TEXT   NOT NULL,
    standing     TEXT   NOT NULL,
    -- Why it was paused, if nobody asked for it.
    because      TEXT,
    secret       TEXT   NOT NULL,
    former       TEXT,
    former_until BIGINT,
    created_at   BIGINT NOT NULL
);

-- One row for each event and endpoint, written in the transaction that ends the task.
CREATE TABLE webhook_deliveries (
    webhook     TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    time        BIGINT NOT NULL,
    data        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    attempts    BIGINT NOT NULL,
    next_at     BIGINT,
    last_status BIGINT,
    last_error  TEXT,
    ended_at    BIGINT,
    PRIMARY KEY (webhook, event)
);
CREATE INDEX webhook_deliveries_next ON webhook_deliveries (webhook, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (webhook, state, ended_at) WHERE state <> 'waiting';

-- Batches of which a task has ended, for endpoints that want to know when all have.
CREATE TABLE webhook_batches (
    webhook   TEXT   NOT NULL,
    batch     BYTEA   NOT NULL,
    -- All tasks of the batch before this one have ended.
    cursor    BYTEA,
    looked_at BIGINT NOT NULL,
    PRIMARY KEY (webhook, batch)
);
CREATE INDEX webhook_batches_looked ON webhook_batches (looked_at);
-- Retention leaves those batches alone.
CREATE INDEX webhook_batches_batch ON webhook_batches (batch);
