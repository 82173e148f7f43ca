-- What namespaces may have at most. Module names need no change: in the namespace `default` they are what they were, in another one they
-- begin with its name and a slash.
CREATE TABLE namespaces (
    name   TEXT NOT NULL PRIMARY KEY,
    -- JSON.
    quotas TEXT NOT NULL
);
-- What a namespace has in each state, and which namespaces there are. Tasks of the namespace `default` never come into it.
CREATE INDEX tasks_namespace ON tasks (namespace, state) WHERE namespace <> 'default';
