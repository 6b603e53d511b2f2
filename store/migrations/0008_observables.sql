-- Where observable values are found: what an object is or names, by a digest of the value. A digest is not proof: what is
-- found by it is compared with the object.
CREATE TABLE observable (
  collection INTEGER NOT NULL,
  value      BIGINT NOT NULL, -- the first eight bytes of the SHA-256 of the canonical value
  entry      BIGINT NOT NULL, -- its seq
  PRIMARY KEY (collection, value, entry)
) WITHOUT ROWID;

-- unread: entries up to this seq were there before the table and are not in it yet; the newest go in first.
-- removal: grows with every removal of entries.
INSERT INTO counter (name, value) VALUES ('unread', (SELECT COALESCE(MAX(seq), 0) FROM entry)), ('removal', 0);
