-- What a collection lets go of after a time. Times are microseconds; 0 keeps for ever.
ALTER TABLE collection ADD COLUMN retain_revoked BIGINT NOT NULL DEFAULT 0;    -- since the revocation was added
ALTER TABLE collection ADD COLUMN retain_expired BIGINT NOT NULL DEFAULT 0;    -- since valid_until
ALTER TABLE collection ADD COLUMN retain_superseded BIGINT NOT NULL DEFAULT 0; -- since a later version was added
-- What clients have not read is kept for those that pulled within this time.
ALTER TABLE collection ADD COLUMN retain_unread BIGINT NOT NULL DEFAULT 2592000000000;
-- Entries up to this date_added were looked through for valid_until.
ALTER TABLE collection ADD COLUMN examined BIGINT NOT NULL DEFAULT 0;

-- Versions that expire, of collections that let go of such: where to look, not what to believe.
CREATE TABLE expiry (
  collection  INTEGER NOT NULL REFERENCES collection (number),
  object      TEXT NOT NULL,
  version_key TEXT NOT NULL,
  valid_until BIGINT NOT NULL,
  PRIMARY KEY (collection, object, version_key)
);
CREATE INDEX expiry_due ON expiry (collection, valid_until);
