CREATE TABLE access (
  account    INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  collection INTEGER NOT NULL REFERENCES collection (number) ON DELETE CASCADE,
  can_read   INTEGER NOT NULL,
  can_write  INTEGER NOT NULL,
  max_tlp    INTEGER NOT NULL,
  PRIMARY KEY (account, collection)
);

CREATE TABLE account (
  number         INTEGER PRIMARY KEY,
  kind           TEXT NOT NULL, -- client or peer
  name           TEXT NOT NULL, -- the client's name or the peer's entity id
  created        BIGINT NOT NULL,
  last_seen      BIGINT NOT NULL,
  last_pull      BIGINT NOT NULL,
  objects_served BIGINT NOT NULL,
  user_agent     TEXT NOT NULL,
  last_error     TEXT NOT NULL, -- of the last failed request, '' after a success
  UNIQUE (kind, name)
);

CREATE TABLE client (
  account    INTEGER PRIMARY KEY REFERENCES account (number) ON DELETE CASCADE,
  admin      INTEGER NOT NULL,
  empty_list INTEGER NOT NULL,
  disabled   INTEGER NOT NULL
, identity TEXT NOT NULL DEFAULT '', expires BIGINT NOT NULL DEFAULT 0, password TEXT NOT NULL DEFAULT '', request_rate BIGINT NOT NULL DEFAULT 0, byte_rate BIGINT NOT NULL DEFAULT 0);

CREATE TABLE client_certificate (
  fingerprint BYTEA PRIMARY KEY, -- SHA-256 of the certificate as DER
  account     INTEGER NOT NULL REFERENCES client (account) ON DELETE CASCADE
);

CREATE TABLE client_key (
  hash    BYTEA PRIMARY KEY, -- SHA-256 of the key
  account INTEGER NOT NULL REFERENCES client (account) ON DELETE CASCADE,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL
);

CREATE TABLE collection (
  number       INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  title        TEXT NOT NULL,
  title_folded TEXT NOT NULL UNIQUE,
  description  TEXT NOT NULL,
  alias        TEXT NOT NULL,
  default_tlp  INTEGER NOT NULL,
  created      BIGINT NOT NULL,
  last_added   BIGINT NOT NULL, -- of the newest entry ever; entries get later ones
  epoch        TEXT NOT NULL,
  objects      BIGINT NOT NULL, -- entries held
  lenient INTEGER NOT NULL DEFAULT 0, retain_revoked BIGINT NOT NULL DEFAULT 0, retain_expired BIGINT NOT NULL DEFAULT 0, retain_superseded BIGINT NOT NULL DEFAULT 0, retain_unread BIGINT NOT NULL DEFAULT 2592000000000, examined BIGINT NOT NULL DEFAULT 0, revision BIGINT NOT NULL DEFAULT 0);

CREATE TABLE counter (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);

CREATE TABLE duty (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL, -- the process's instance
  since BIGINT NOT NULL
);

CREATE TABLE entry (
  seq         INTEGER PRIMARY KEY, -- in the order of date_added within a collection
  collection  INTEGER NOT NULL,
  date_added  BIGINT NOT NULL,
  facet       INTEGER NOT NULL REFERENCES facet (number),
  is_first    INTEGER NOT NULL, -- the earliest version held of the object
  is_last     INTEGER NOT NULL, -- the latest version held of the object
  object      TEXT NOT NULL,    -- the STIX identifier
  version_key TEXT NOT NULL,    -- orders versions
  version     TEXT NOT NULL,    -- as written
  norm        BYTEA NOT NULL,   -- SHA-256 of the content without defaults
  raw         BYTEA NOT NULL
, violations TEXT NOT NULL DEFAULT '', revoked INTEGER NOT NULL DEFAULT 0);

CREATE TABLE expiry (
  collection  INTEGER NOT NULL REFERENCES collection (number),
  object      TEXT NOT NULL,
  version_key TEXT NOT NULL,
  valid_until BIGINT NOT NULL,
  PRIMARY KEY (collection, object, version_key)
);

CREATE TABLE facet (
  number       INTEGER PRIMARY KEY,
  collection   INTEGER NOT NULL REFERENCES collection (number),
  marking_set  INTEGER NOT NULL REFERENCES marking_set (number),
  type         TEXT NOT NULL,
  spec_version TEXT NOT NULL,
  entries      BIGINT NOT NULL, -- entries held
  last_added   BIGINT NOT NULL, divided INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0, revoking INTEGER NOT NULL DEFAULT 0, -- no entry of the facet is later
  UNIQUE (collection, marking_set, type, spec_version)
);

CREATE TABLE hosted (
  entity   TEXT PRIMARY KEY,
  compact  TEXT NOT NULL,
  issued   BIGINT NOT NULL,
  expires  BIGINT NOT NULL,
  received BIGINT NOT NULL
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

CREATE TABLE introduced (
  entity     TEXT PRIMARY KEY,
  statements TEXT NOT NULL, -- one a line
  expires    BIGINT NOT NULL,
  kept       BIGINT NOT NULL
);

CREATE TABLE joined (
  target     TEXT NOT NULL, -- the identifier of an end
  collection INTEGER NOT NULL REFERENCES collection (number),
  object     TEXT NOT NULL, -- the relationship or sighting, which is held there
  PRIMARY KEY (target, collection, object)
);

CREATE TABLE "known_marking" (
  collection INTEGER NOT NULL REFERENCES collection (number),
  marking    TEXT NOT NULL,
  source     TEXT NOT NULL,
  since      BIGINT NOT NULL,
  PRIMARY KEY (collection, marking, source)
);

CREATE TABLE marking_set (
  number  INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE, -- the canonical key of the set
  content TEXT NOT NULL, source TEXT NOT NULL DEFAULT '');

CREATE TABLE marking_set_member (
  marking     TEXT NOT NULL,
  marking_set INTEGER NOT NULL REFERENCES marking_set (number),
  PRIMARY KEY (marking, marking_set)
);

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE observable (
  collection INTEGER NOT NULL,
  value      BIGINT NOT NULL, -- the first eight bytes of the SHA-256 of the canonical value
  entry      BIGINT NOT NULL, -- its seq
  PRIMARY KEY (collection, value, entry)
) WITHOUT ROWID;

CREATE TABLE peer (
  account  INTEGER PRIMARY KEY REFERENCES account (number) ON DELETE CASCADE,
  jwks     BYTEA NOT NULL,
  api_root TEXT NOT NULL
);

CREATE TABLE process (
  instance TEXT PRIMARY KEY,
  name     TEXT NOT NULL, -- for people: the machine and the process's number on it
  started  BIGINT NOT NULL,
  expires  BIGINT NOT NULL
);

CREATE TABLE progress (
  account    INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
  collection INTEGER NOT NULL REFERENCES collection (number) ON DELETE CASCADE,
  date_added BIGINT NOT NULL,
  PRIMARY KEY (account, collection)
);

CREATE TABLE quarantine (
  number       INTEGER PRIMARY KEY,
  subscription BIGINT NOT NULL,
  peer         TEXT NOT NULL,
  collection   TEXT NOT NULL, -- id
  object       TEXT NOT NULL,
  version      TEXT NOT NULL,
  digest       BYTEA NOT NULL, -- SHA-256 of what came
  reason       TEXT NOT NULL,
  raw          BYTEA NOT NULL,
  received     BIGINT NOT NULL, size BIGINT NOT NULL DEFAULT 0,
  UNIQUE (subscription, object, version, digest)
);

CREATE TABLE revision (
  collection INTEGER NOT NULL REFERENCES collection (number),
  revision   BIGINT NOT NULL,
  touched    BYTEA NOT NULL, -- ranges of date_added, as differences
  PRIMARY KEY (collection, revision)
);

CREATE TABLE schema_version (
  number  INTEGER PRIMARY KEY,
  applied BIGINT NOT NULL
);

CREATE TABLE status (
  id       TEXT PRIMARY KEY,
  account  TEXT NOT NULL,
  received BIGINT NOT NULL,
  content  BYTEA NOT NULL -- JSON, the status resource
);

CREATE TABLE status_part (
  status  TEXT NOT NULL,
  part    BIGINT NOT NULL,
  content BYTEA NOT NULL, -- JSON, successes, failures and pendings
  PRIMARY KEY (status, part)
);

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

CREATE TABLE submission_part (
  submission BIGINT NOT NULL REFERENCES submission (number),
  part       BIGINT NOT NULL,
  items      BYTEA NOT NULL, -- the objects and what was found out about them on arrival
  PRIMARY KEY (submission, part)
);

CREATE TABLE subscription (
  id           INTEGER PRIMARY KEY,
  peer         TEXT NOT NULL,
  source       TEXT NOT NULL, -- the collection at the peer
  collection   INTEGER NOT NULL REFERENCES collection (number),
  added_after  TEXT NOT NULL,
  next         TEXT NOT NULL,
  created      BIGINT NOT NULL,
  last_attempt BIGINT NOT NULL,
  last_success BIGINT NOT NULL,
  error        TEXT NOT NULL,
  failures     BIGINT NOT NULL,
  received     BIGINT NOT NULL,
  quarantined  BIGINT NOT NULL, rules TEXT NOT NULL DEFAULT '', quarantine_rows BIGINT NOT NULL DEFAULT 0, quarantine_bytes BIGINT NOT NULL DEFAULT 0, dropped BIGINT NOT NULL DEFAULT 0,
  UNIQUE (peer, source, collection)
);

CREATE TABLE tombstone (
  collection  INTEGER NOT NULL REFERENCES collection (number),
  object      TEXT NOT NULL,
  version_key TEXT NOT NULL,
  norm        BYTEA NOT NULL,
  deleted     BIGINT NOT NULL,
  PRIMARY KEY (collection, object, version_key)
);

CREATE TABLE used_token (
  token   BYTEA PRIMARY KEY, -- SHA-256 of the issuer and the token's id
  expires BIGINT NOT NULL
);

CREATE INDEX access_collection ON access (collection);

CREATE INDEX client_certificate_account ON client_certificate (account);

CREATE INDEX client_key_account ON client_key (account);

CREATE INDEX client_with_password ON client (account) WHERE password <> '';

CREATE UNIQUE INDEX collection_alias ON collection (alias) WHERE alias <> '';

CREATE INDEX entry_facet ON entry (facet, is_last, date_added);

CREATE INDEX entry_first_of_facet ON entry (collection, object, version_key, facet) WHERE is_first = 2;

CREATE INDEX entry_last ON entry (collection, date_added) WHERE is_last > 0;

CREATE INDEX entry_last_of_facet ON entry (collection, object, version_key, facet) WHERE is_last = 2;

CREATE UNIQUE INDEX entry_log ON entry (collection, date_added);

CREATE UNIQUE INDEX entry_object ON entry (collection, object, version_key);

CREATE INDEX entry_revoked ON entry (collection, object, version_key, facet) WHERE revoked = 1;

CREATE INDEX entry_version ON entry (collection, version_key, date_added);

CREATE INDEX entry_violations ON entry (collection, date_added) WHERE violations <> '';

CREATE INDEX expiry_due ON expiry (collection, valid_until);

CREATE INDEX facet_marking_set ON facet (marking_set);

CREATE INDEX idempotency_key_created ON idempotency_key (created);

CREATE UNIQUE INDEX idempotency_key_name ON idempotency_key (account, collection, name);

CREATE INDEX introduced_kept ON introduced (kept);

CREATE INDEX joined_object ON joined (collection, object);

CREATE INDEX marking_set_member_set ON marking_set_member (marking_set);

CREATE INDEX progress_collection ON progress (collection);

CREATE INDEX quarantine_age ON quarantine (received);

CREATE INDEX quarantine_order ON quarantine (subscription, number, size);

CREATE INDEX status_received ON status (received);

CREATE INDEX submission_turn ON submission (turn);

CREATE INDEX subscription_collection ON subscription (collection);

CREATE INDEX used_token_expires ON used_token (expires);

