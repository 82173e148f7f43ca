-- The same indexes under conditions that cost less. SQLite makes a table of a list of more than two states and looks each row's state up
-- in it, at every insert and update; of comparisons one after the other, mostly the first decides.
DROP INDEX tasks_ended;
CREATE INDEX tasks_ended ON tasks (ended_at, id) WHERE state <> 'queued' AND state <> 'running' AND state <> 'scheduled'
    AND state <> 'blocked' AND state <> 'retrying';
DROP INDEX tasks_batch_open;
CREATE INDEX tasks_batch_open ON tasks (batch) WHERE batch IS NOT NULL AND state <> 'succeeded' AND state <> 'failed'
    AND state <> 'cancelled' AND state <> 'expired';
