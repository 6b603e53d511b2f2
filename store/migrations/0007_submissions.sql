-- What is large is accepted first and decided afterwards, in parts; and a submission may be named by an idempotency key.

-- A submission of which something is undecided. One process at a time works on it, as long as its lease lasts.
CREATE TABLE submission (
  number     INTEGER PRIMARY KEY,
  status     TEXT NOT NULL UNIQUE, -- the id of its status, which its account may have taken with it
  account    TEXT NOT NULL,
  collection TEXT NOT NULL, -- id; the collection may have been removed meanwhile
  received   BIGINT NOT NULL,
  parts      BIGINT NOT NULL, -- they are numbered from 1
  decided    BIGINT NOT NULL, -- parts, from the first on
  objects    BIGINT NOT NULL, -- undecided
  bytes      BIGINT NOT NULL, -- of what is undecided
  owner      TEXT NOT NULL, -- the process that works on it
  lease      BIGINT NOT NULL, -- when others may take it
  turn       BIGINT NOT NULL, -- the lowest is next
  failures   BIGINT NOT NULL -- of the part that is next
);
CREATE INDEX submission_turn ON submission (turn);
INSERT INTO counter (name, value) VALUES ('submission', 0);

CREATE TABLE submission_part (
  submission BIGINT NOT NULL REFERENCES submission (number),
  part       BIGINT NOT NULL,
  items      BYTEA NOT NULL, -- the objects and what was found out about them on arrival
  PRIMARY KEY (submission, part)
);

-- The lists of a status whose own row has none: part 0 has what was refused on arrival, the others what became of the
-- submission's parts.
CREATE TABLE status_part (
  status  TEXT NOT NULL,
  part    BIGINT NOT NULL,
  content BYTEA NOT NULL, -- JSON, successes, failures and pendings
  PRIMARY KEY (status, part)
);

CREATE TABLE idempotency_key (
  account    TEXT NOT NULL,
  number     BIGINT NOT NULL, -- in the order of arrival
  collection TEXT NOT NULL, -- id
  name       TEXT NOT NULL,
  body       BYTEA NOT NULL, -- SHA-256
  status     TEXT NOT NULL,
  created    BIGINT NOT NULL,
  PRIMARY KEY (account, number)
);
CREATE UNIQUE INDEX idempotency_key_name ON idempotency_key (account, collection, name);
CREATE INDEX idempotency_key_created ON idempotency_key (created);
