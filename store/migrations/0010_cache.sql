-- What caches in front of the store must know of a collection: which entries changed that were there already. Entries that
-- are appended are told by collection.last_added.
ALTER TABLE collection ADD COLUMN revision BIGINT NOT NULL DEFAULT 0; -- how often entries of its log changed

-- The latest changes of each collection; older ones are removed.
CREATE TABLE revision (
  collection INTEGER NOT NULL REFERENCES collection (number),
  revision   BIGINT NOT NULL,
  touched    BYTEA NOT NULL, -- ranges of date_added, as differences
  PRIMARY KEY (collection, revision)
);
