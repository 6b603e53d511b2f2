-- What the processes of a node that is served by several must agree on. Times are by the database's clock.

-- The processes that serve the node. Each renews its row; one whose row has run out is gone.
CREATE TABLE process (
  instance TEXT PRIMARY KEY,
  name     TEXT NOT NULL, -- for people: the machine and the process's number on it
  started  BIGINT NOT NULL,
  expires  BIGINT NOT NULL
);

-- What one process at a time does for all of them.
CREATE TABLE duty (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL, -- the process's instance
  since BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('duty', 0);

-- Request tokens of peers that were accepted, until they are too old to be accepted again.
CREATE TABLE used_token (
  token   BYTEA PRIMARY KEY, -- SHA-256 of the issuer and the token's id
  expires BIGINT NOT NULL
);
CREATE INDEX used_token_expires ON used_token (expires);
