-- The first and the last version of an object are those that a caller sees, and a marking is known where it is defined.
-- What a statement held in another collection made servable is hidden until its definition is in the same collection.

-- is_first and is_last of an entry: 0 for an inner version, 1 for the end of an object whose versions are of one facet,
-- 2 for the end of its facet where the object has versions of others too. Who does not see one facet sees the end of
-- another.
CREATE TABLE divided_object (
  collection INTEGER NOT NULL,
  object     TEXT NOT NULL,
  PRIMARY KEY (collection, object)
);
INSERT INTO divided_object (collection, object)
SELECT collection, object FROM entry GROUP BY collection, object HAVING MIN(facet) <> MAX(facet);
UPDATE entry SET
  is_first = CASE WHEN EXISTS (SELECT 1 FROM entry o WHERE o.collection = entry.collection AND o.object = entry.object
    AND o.facet = entry.facet AND o.version_key < entry.version_key) THEN 0 ELSE 2 END,
  is_last = CASE WHEN EXISTS (SELECT 1 FROM entry o WHERE o.collection = entry.collection AND o.object = entry.object
    AND o.facet = entry.facet AND o.version_key > entry.version_key) THEN 0 ELSE 2 END
WHERE EXISTS (SELECT 1 FROM divided_object d WHERE d.collection = entry.collection AND d.object = entry.object);
DROP TABLE divided_object;

DROP INDEX entry_last;
CREATE INDEX entry_last ON entry (collection, date_added) WHERE is_last > 0;
CREATE INDEX entry_first_of_facet ON entry (collection, object, version_key, facet) WHERE is_first = 2;
CREATE INDEX entry_last_of_facet ON entry (collection, object, version_key, facet) WHERE is_last = 2;
CREATE INDEX entry_version ON entry (collection, version_key, date_added);

ALTER TABLE facet ADD COLUMN divided INTEGER NOT NULL DEFAULT 0; -- 1: some object has or had versions of this facet and of others
UPDATE facet SET divided = 1 WHERE EXISTS (SELECT 1 FROM entry e WHERE e.facet = facet.number AND e.is_last = 2);
ALTER TABLE collection DROP COLUMN mixed;

-- Markings whose meaning the node holds, by the collection in which their definition was held. What was learnt stays.
DROP TABLE known_marking;
CREATE TABLE known_marking (
  collection INTEGER NOT NULL REFERENCES collection (number),
  marking    TEXT NOT NULL,
  since      BIGINT NOT NULL,
  PRIMARY KEY (collection, marking)
);
ALTER TABLE facet ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0; -- 1: has a marking whose meaning is not known in the collection
ALTER TABLE marking_set DROP COLUMN unknown;

-- What the quarantine holds of a subscription, and what was dropped from it to make room.
ALTER TABLE quarantine ADD COLUMN size BIGINT NOT NULL DEFAULT 0; -- of what is kept, in bytes
UPDATE quarantine SET size = LENGTH(raw) + LENGTH(object) + LENGTH(version) + LENGTH(reason);
CREATE INDEX quarantine_age ON quarantine (received);
CREATE INDEX quarantine_order ON quarantine (subscription, number, size);
ALTER TABLE subscription ADD COLUMN quarantine_rows BIGINT NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN quarantine_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN dropped BIGINT NOT NULL DEFAULT 0;
UPDATE subscription SET
  quarantine_rows = (SELECT COUNT(*) FROM quarantine q WHERE q.subscription = subscription.id),
  quarantine_bytes = (SELECT COALESCE(SUM(q.size), 0) FROM quarantine q WHERE q.subscription = subscription.id);
