-- Read-only files that are shipped with modules: one archive for each set of files, by its SHA-256.

CREATE TABLE module_assets (
    digest BYTEA NOT NULL PRIMARY KEY,
    bytes  BYTEA NOT NULL
);

-- Which archive a version has, if any; a removed version's number stays that of its archive, too.
ALTER TABLE modules ADD COLUMN assets BYTEA;
ALTER TABLE removed_modules ADD COLUMN assets BYTEA;
CREATE INDEX modules_assets ON modules (assets) WHERE assets IS NOT NULL;
