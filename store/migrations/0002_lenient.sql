-- A collection or a subscription may take objects that break rules of STIX 2.1; what they break is kept beside them.

ALTER TABLE collection ADD COLUMN lenient INTEGER NOT NULL DEFAULT 0; -- 1: takes such objects from its publishers

-- JSON, a list of violations; '' for an object that was stored without any.
ALTER TABLE entry ADD COLUMN violations TEXT NOT NULL DEFAULT '';
CREATE INDEX entry_violations ON entry (collection, date_added) WHERE violations <> '';

-- '' for those of the node, strict or lenient.
ALTER TABLE subscription ADD COLUMN rules TEXT NOT NULL DEFAULT '';
