-- What is held of an object's versions decides about further ones, and its last version is the one that revokes it.

ALTER TABLE entry ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0; -- 1: this version revokes the object
CREATE INDEX entry_revoked ON entry (collection, object, version_key, facet) WHERE revoked = 1;
ALTER TABLE facet ADD COLUMN revoking INTEGER NOT NULL DEFAULT 0; -- 1: some entry of the facet is or was a revocation

-- The created_by_ref that what the account publishes must have; '' for any.
ALTER TABLE client ADD COLUMN identity TEXT NOT NULL DEFAULT '';

-- What relationships and sightings join, whether it is held or not: they are served as strictly as that.
CREATE TABLE joined (
  target     TEXT NOT NULL, -- the identifier of an end
  collection INTEGER NOT NULL REFERENCES collection (number),
  object     TEXT NOT NULL, -- the relationship or sighting, which is held there
  PRIMARY KEY (target, collection, object)
);
CREATE INDEX joined_object ON joined (collection, object);
