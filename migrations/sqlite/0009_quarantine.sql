-- Modules that hosts died of.

-- Each death of a host is counted once against each module that was in flight.
CREATE TABLE module_deaths (
    digest BLOB   NOT NULL,
    host   TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (digest, host)
);
CREATE INDEX module_deaths_at ON module_deaths (at);

-- By the bytes, so that another version of the same bytes does not run either.
CREATE TABLE quarantined_modules (
    digest BLOB   NOT NULL PRIMARY KEY,
    since  BIGINT NOT NULL
);
