-- Where an object came from is part of its marking set, and a marking is known by who defined it: a definition published at
-- this node counts for everything in its collection, one of a peer for what that peer sent.
ALTER TABLE marking_set ADD COLUMN source TEXT NOT NULL DEFAULT ''; -- the peer's entity id, '' for this node

CREATE TABLE known (
  collection INTEGER NOT NULL REFERENCES collection (number),
  marking    TEXT NOT NULL,
  source     TEXT NOT NULL,
  since      BIGINT NOT NULL,
  PRIMARY KEY (collection, marking, source)
);
INSERT INTO known (collection, marking, source, since) SELECT collection, marking, '', since FROM known_marking;
DROP TABLE known_marking;
ALTER TABLE known RENAME TO known_marking;
