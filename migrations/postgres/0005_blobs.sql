-- Large payloads and results, by content. Chunks belong to an upload, so that the digest need not be known before the last one.
CREATE TABLE blob_chunks (
    upload BYTEA  NOT NULL,
    seq    BIGINT NOT NULL,
    bytes  BYTEA  NOT NULL,
    PRIMARY KEY (upload, seq)
);

-- Uploads whose chunks no blob owns: under way, given up, or of a removed blob. `touched_at` 0 means that nobody waits for it.
CREATE TABLE blob_uploads (
    upload     BYTEA  NOT NULL PRIMARY KEY,
    touched_at BIGINT NOT NULL
);
CREATE INDEX blob_uploads_touched ON blob_uploads (touched_at);

-- Complete and verified. `digest` is the SHA-256 of the chunks in their order; `upload` owns them.
CREATE TABLE blobs (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    upload     BYTEA  NOT NULL UNIQUE,
    size_bytes BIGINT NOT NULL,
    chunks     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX blobs_used ON blobs (used_at);

-- What a task refers to instead of holding it in its row, and how large that is.
ALTER TABLE tasks ADD COLUMN payload_digest BYTEA;
ALTER TABLE tasks ADD COLUMN payload_size BIGINT;
ALTER TABLE tasks ADD COLUMN result_digest BYTEA;
ALTER TABLE tasks ADD COLUMN result_size BIGINT;
CREATE INDEX tasks_payload_digest ON tasks (payload_digest) WHERE payload_digest IS NOT NULL;
CREATE INDEX tasks_result_digest ON tasks (result_digest) WHERE result_digest IS NOT NULL;
