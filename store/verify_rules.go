package store

// moreInvariants are invariants that do not concern the order and the counting of the log; see invariants.
var moreInvariants = []struct{ rule, sql string }{
	{"an entry belongs to a collection and to a facet",
		`SELECT e.object FROM entry e WHERE NOT EXISTS (SELECT 1 FROM collection c WHERE c.number = e.collection)
		 OR NOT EXISTS (SELECT 1 FROM facet f WHERE f.number = e.facet)`},
	{"no two entries of a collection have the same date_added",
		`SELECT c.title || ': ' || d.date_added FROM (SELECT collection, date_added FROM entry GROUP BY collection, date_added HAVING COUNT(*) > 1) d
		 JOIN collection c ON c.number = d.collection`},
	{"a version of an object is held once",
		`SELECT c.title || ': ' || d.object FROM (SELECT collection, object FROM entry GROUP BY collection, object, version_key HAVING COUNT(*) > 1) d
		 JOIN collection c ON c.number = d.collection`},
	{"nobody has read a collection further than it goes",
		`SELECT c.title || ': ' || a.name FROM progress p JOIN account a ON a.number = p.account JOIN collection c ON c.number = p.collection
		 WHERE p.date_added > c.last_added`},
	{"a collection has an epoch of its own",
		`SELECT c.title FROM collection c WHERE c.epoch = '' OR EXISTS (SELECT 1 FROM collection o WHERE o.epoch = c.epoch AND o.number <> c.number)`},
	{"a collection was created before what it holds was added",
		`SELECT c.title FROM collection c WHERE c.last_added < c.created`},
	{"a counter is not behind what it has numbered",
		`SELECT name FROM counter WHERE
		 name = 'collection' AND value < (SELECT COALESCE(MAX(number), 0) FROM collection) OR
		 name = 'marking_set' AND value < (SELECT COALESCE(MAX(number), 0) FROM marking_set) OR
		 name = 'facet' AND value < (SELECT COALESCE(MAX(number), 0) FROM facet) OR
		 name = 'entry' AND value < (SELECT COALESCE(MAX(seq), 0) FROM entry) OR
		 name = 'account' AND value < (SELECT COALESCE(MAX(number), 0) FROM account) OR
		 name = 'subscription' AND value < (SELECT COALESCE(MAX(id), 0) FROM subscription) OR
		 name = 'quarantine' AND value < (SELECT COALESCE(MAX(number), 0) FROM quarantine)`},
	{"a tombstone, a key and what is quarantined have a SHA-256",
		`SELECT 'the tombstone of ' || object FROM tombstone WHERE LENGTH(norm) <> 32
		 UNION ALL SELECT 'a key of ' || a.name FROM client_key k JOIN account a ON a.number = k.account WHERE LENGTH(k.hash) <> 32
		 UNION ALL SELECT object || ' in quarantine' FROM quarantine WHERE LENGTH(digest) <> 32`},
	{"rights are those of an account on a collection",
		`SELECT 'account ' || x.account FROM access x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.number = x.account)
		 OR NOT EXISTS (SELECT 1 FROM collection c WHERE c.number = x.collection)`},
	{"a subscription writes into a collection",
		`SELECT s.peer || ' ' || s.source FROM subscription s WHERE NOT EXISTS (SELECT 1 FROM collection c WHERE c.number = s.collection)`},
}
